const encoder = new TextEncoder();

/** FNV-1a with 32 bits of a text's UTF-8, as the server makes it of what it runs. */
export function hash(text: string): string {
  let value = 0x811c9dc5;
  for (const byte of encoder.encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return (value >>> 0).toString(16).padStart(8, "0");
}
