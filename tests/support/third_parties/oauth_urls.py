"""The addresses of the OAuth server: its own, a sign-in for people, and one door that takes its tokens."""

from __future__ import annotations

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource


def sign_in(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse(status=401)
    login(request, user)
    return HttpResponse(status=204)


@protected_resource()  # type: ignore[untyped-decorator]  # no types published
def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.resource_owner.get_username())


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("login", sign_in),
    path("whoami", whoami),
]
