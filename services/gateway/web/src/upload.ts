/**
 * Owns sending a file's bytes. XMLHttpRequest, because fetch tells no progress
 * of what it sends. Must never read the file: the browser streams it.
 */
import { ApiError, errorOf, UNREACHABLE } from "./api.ts";
import { uploadPath } from "./calls.ts";

/** A running upload. */
export interface Upload {
  /** Resolves when the server has stored the file; rejects with ApiError. */
  readonly done: Promise<void>;
  /** Stops it; `done` rejects with reason CANCELLED. */
  readonly cancel: () => void;
}

/** Reason of an upload that the person stopped. */
export const CANCELLED = "CANCELLED";

/**
 * Sends a file as the raw body of one request.
 *
 * @param progress is told the part sent, 0 to 1.
 */
export function send(file: File, progress: (part: number) => void): Upload {
  const request = new XMLHttpRequest();
  const done = new Promise<void>((resolve, reject) => {
    request.open("POST", uploadPath(file.name.normalize("NFC")));
    request.setRequestHeader("content-type", file.type || "application/octet-stream");
    request.upload.onprogress = (event) => progress(event.total > 0 ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(errorOf(request.status, (name) => request.getResponseHeader(name), request.responseText));
    };
    request.onerror = () => reject(new ApiError(0, UNREACHABLE));
    request.onabort = () => reject(new ApiError(0, CANCELLED));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
}
