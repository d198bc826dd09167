// The method of an operation, in its colour.
export function Method({ name }: { name: string }) {
  return <span className={`docs-method ${name.toLowerCase()}`}>{name === "DELETE" ? "DEL" : name}</span>;
}
