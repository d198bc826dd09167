// Turns the OpenAPI documents into TypeScript: a type and the limits for each schema, and for each operation its route, its
// input and its output. The page is checked against what this writes, so that it cannot drift from the contract.
import { readFileSync } from "node:fs";

const services = ["workspace", "scheduler", "cluster", "monitoring"];
const methods = ["get", "post", "put", "patch", "delete"];

const quote = (text) => JSON.stringify(text);
const nameOf = (reference) => reference.slice(reference.lastIndexOf("/") + 1);

function typeOf(schema) {
  if (!schema || Object.keys(schema).length === 0) return "Json";
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return quote(schema.const);
  if (schema.enum) return schema.enum.map(quote).join(" | ");
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(" | ");
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => (type === "null" ? "null" : typeOf({ ...schema, type }))).join(" | ");
  }
  switch (schema.type) {
    case "string": return "string";
    case "integer": case "number": return "number";
    case "boolean": return "boolean";
    case "array": return `Array<${typeOf(schema.items)}>`;
    case "object":
      if (schema.properties) return membersOf(schema);
      if (schema.additionalProperties === false) return "Record<string, never>";
      return `Record<string, ${typeOf(schema.additionalProperties === true ? {} : schema.additionalProperties)}>`;
    default: return "Json";
  }
}

function membersOf(schema) {
  const required = new Set(schema.required ?? []);
  const members = Object.entries(schema.properties).map(([name, member]) => {
    const comment = member.description ? `  /** ${member.description} */\n` : "";
    return `${comment}  ${name}${required.has(name) ? "" : "?"}: ${typeOf(member)};`;
  });
  return `{\n${members.join("\n")}\n}`;
}

function declaration(name, schema) {
  const comment = schema.description ? `/** ${schema.description} */\n` : "";
  const open = schema["x-open-enum"] ? " | (string & {})" : "";
  return `${comment}export type ${name} = ${typeOf(schema)}${open};\n`;
}

/** The least and the most of each number of a schema that has both, for forms to say before the service is asked. */
function limits(name, schema) {
  const bounds = Object.entries(schema.properties ?? {}).filter(([, one]) => one.minimum !== undefined && one.maximum !== undefined)
    .map(([member, one]) => `${member}: { least: ${one.minimum}, most: ${one.maximum} }`);
  return bounds.length === 0 ? [] : [`export const limitsOf${name} = { ${bounds.join(", ")} };\n`];
}

function operation(path, method, definition, common) {
  const parameters = [...(common ?? []), ...(definition.parameters ?? [])];
  const body = definition.requestBody?.content?.["application/json"]?.schema;
  const members = parameters.map((one) => `${quote(one.name)}${one.required ? "" : "?"}: ${typeOf(one.schema)}`);
  if (body) members.push(`body${definition.requestBody.required ? "" : "?"}: ${typeOf(body)}`);
  const answer = Object.values(definition.responses["200"].content)[0].schema;
  const kind = definition["x-raw"] ? "raw" : definition["x-ndjson"] ? "stream" : "call";
  const query = parameters.filter((one) => one.in === "query").map((one) => quote(one.name));
  return {
    type: `  ${definition.operationId}: { kind: ${quote(kind)}; input: { ${members.join("; ")} }; output: ${typeOf(answer)} };`,
    route: `  ${definition.operationId}: { method: ${quote(method.toUpperCase())}, path: ${quote(path)}, `
      + `query: [${query.join(", ")}], repeats: ${definition["x-idempotent"] === true} },`,
  };
}

/** The text of contract.ts for the documents of a folder. */
export function contract(folder) {
  const read = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
  const types = [];
  const operations = [];
  const seen = new Set();
  const take = (document) => {
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      if (seen.has(name)) continue;
      seen.add(name);
      types.push(declaration(name, schema), ...limits(name, schema));
    }
  };
  take(read("common"));
  for (const service of services) {
    const document = read(service);
    take(document);
    for (const [path, item] of Object.entries(document.paths)) {
      if (!path.startsWith("/api/")) continue;
      for (const method of methods) {
        if (item[method]) operations.push(operation(path, method, item[method], item.parameters));
      }
    }
  }
  return [
    "// Written by build/contract.mjs out of schemas/openapi. Do not edit.\n",
    "export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };\n",
    ...types,
    "/** What each operation takes and gives. */",
    `export interface Operations {\n${operations.map((one) => one.type).join("\n")}\n}\n`,
    "export interface Route { method: string; path: string; query: string[]; repeats: boolean }\n",
    `export const routes: Record<keyof Operations, Route> = {\n${operations.map((one) => one.route).join("\n")}\n};\n`,
  ].join("\n");
}
