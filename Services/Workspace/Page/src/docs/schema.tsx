// A schema as a list of fields, each of which opens where there is more in it.
import { ReactNode } from "react";
import { Schema, kindOf, limitsOf, nameOf, resolved } from "./document";

type Schemas = Record<string, Schema>;

/** The schema that has fields of its own, through lists and maps. */
function inner(schema: Schema, schemas: Schemas): Schema | undefined {
  const one = resolved(schema, schemas);
  if (one.properties || one.oneOf) return schema;
  if (one.items) return inner(one.items, schemas);
  if (typeof one.additionalProperties === "object") return inner(one.additionalProperties, schemas);
  return undefined;
}

export function SchemaView({ schema, schemas, inside = [] }: { schema: Schema; schemas: Schemas; inside?: string[] }) {
  const shown = inner(schema, schemas) ?? schema;
  const one = resolved(shown, schemas);
  const within = shown.$ref ? [...inside, nameOf(shown.$ref)] : inside;
  if (one.oneOf) {
    return <div className="stack">{one.oneOf.map((each, index) => (
      <div key={index}><p className="small soft">{index === 0 ? "Either" : "or"} {kindOf(each)}</p><SchemaView schema={each} schemas={schemas} inside={within} /></div>
    ))}</div>;
  }
  if (!one.properties) return <Value schema={one} name={kindOf(schema)} />;
  const required = new Set(one.required ?? []);
  return (
    <ul className="docs-fields">
      {Object.entries(one.properties).map(([name, member]) => (
        <FieldView key={name} name={name} schema={member} schemas={schemas} isRequired={required.has(name)} inside={within} />
      ))}
      {Object.keys(one.properties).length === 0 && <li className="soft small">No fields.</li>}
    </ul>
  );
}

function Value({ schema, name }: { schema: Schema; name: string }) {
  return <p className="small"><code>{name}</code>{schema.description && <> {schema.description}</>}<Details schema={schema} /></p>;
}

/** The choices and limits of a value. */
export function Details({ schema }: { schema: Schema }) {
  const limits = limitsOf(schema);
  return (
    <>
      {schema.enum && <span className="docs-choices">{schema.enum.map((one) => <code key={one}>{one}</code>)}</span>}
      {limits && <span className="soft docs-limits">{limits}</span>}
    </>
  );
}

function FieldView({ name, schema, schemas, isRequired, inside }: {
  name: string; schema: Schema; schemas: Schemas; isRequired: boolean; inside: string[];
}) {
  const one = resolved(schema, schemas);
  const more = inner(schema, schemas);
  const isRepeated = more?.$ref !== undefined && inside.includes(nameOf(more.$ref));
  const head: ReactNode = (
    <>
      <code className="docs-name">{name}</code>
      {isRequired && <span className="docs-required">required</span>}
      <span className="docs-kind">{kindOf(schema)}</span>
    </>
  );
  const text = schema.description ?? one.description;
  return (
    <li>
      {more && !isRepeated ? (
        <details>
          <summary>{head}</summary>
          {text && <p className="small soft">{text}</p>}
          <SchemaView schema={more} schemas={schemas} inside={inside} />
        </details>
      ) : <div className="docs-head">{head}</div>}
      {(!more || isRepeated) && <p className="small">{text && <span className="soft">{text}{limitsOf(one) && "; "}</span>}<Details schema={one} /></p>}
    </li>
  );
}
