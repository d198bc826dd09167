/**
 * A name that nobody has: 128 random bits in hexadecimal. `crypto.randomUUID` is there only for pages of this machine and for
 * those that came over TLS, as all of `crypto.subtle`, the clipboard and locks are.
 */
export function newID(): string { return hexadecimal(crypto.getRandomValues(new Uint8Array(16))); }

export function hexadecimal(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
