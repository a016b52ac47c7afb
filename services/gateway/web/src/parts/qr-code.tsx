/**
 * Owns drawing a QR code, in the browser, as one path. Dark on light in any
 * scheme, with the margin that readers need. Must never send its text anywhere.
 */
import { useMemo } from "preact/hooks";
import { encode } from "uqr";

/** Modules of margin (ISO/IEC 18004, 9.1). */
const MARGIN = 4;

/** Returns the path that fills the dark modules. */
export function modules(text: string): { readonly size: number; readonly path: string } {
  const { data, size } = encode(text, { ecc: "M", border: MARGIN });
  const dark = data.flatMap((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : "")));
  return { size, path: dark.join("") };
}

/** The code. */
export function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const { size, path } = useMemo(() => modules(text), [text]);
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} width="208" height="208" role="img" aria-label={label}>
      <rect width={size} height={size} class="qr__ground" />
      <path d={path} class="qr__modules" shape-rendering="crispEdges" />
    </svg>
  );
}
