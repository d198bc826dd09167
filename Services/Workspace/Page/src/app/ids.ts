/**
 * A name that nobody has: 128 random bits in hexadecimal. `crypto.randomUUID` is there only for pages of this machine and for
 * those that came over TLS, as all of `crypto.subtle`, the clipboard and locks are.
 */
export function newID(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
