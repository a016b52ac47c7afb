"""The edge: the control plane that turns the contracts into Envoy's configuration and renews edge sessions."""
