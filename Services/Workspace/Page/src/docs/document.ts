// The API as its own OpenAPI document describes it, made ready to be looked at.
import type { Json } from "../api/generated/contract";

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  enum?: string[];
  const?: Json;
  oneOf?: Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  pattern?: string;
  "x-timestamp"?: boolean;
  "x-open-enum"?: boolean;
}

export interface Parameter { name: string; in: "path" | "query" | "header"; required: boolean; description?: string; schema: Schema }

interface Described {
  operationId: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema: Schema }> } | { $ref: string }>;
  "x-ndjson"?: boolean;
  "x-idempotent"?: boolean;
  "x-max-body-bytes"?: number;
}

export interface OpenAPI {
  info: { title: string; version: string; description?: string };
  tags?: Array<{ name: string; description?: string }>;
  paths: Record<string, Record<string, Described> & { parameters?: Parameter[] }>;
  components: { schemas: Record<string, Schema>; responses?: Record<string, { content?: Record<string, { schema: Schema }> }> };
}

/** One operation, with all that is needed to show it and to try it. */
export interface Operation {
  id: string;
  method: string;
  path: string;
  tag: string;
  summary: string;
  description?: string;
  parameters: Parameter[];
  body?: { schema: Schema; isRequired: boolean; type: string };
  answers: Array<{ status: string; description: string; schema?: Schema; type?: string }>;
  isStream: boolean;
  isIdempotent: boolean;
  maxBodyBytes?: number;
}

const methods = ["get", "post", "put", "patch", "delete"];

/** The public operations, in the order of the document. */
export function operationsOf(document: OpenAPI): Operation[] {
  const all: Operation[] = [];
  for (const [path, item] of Object.entries(document.paths)) {
    if (path.startsWith("/internal/")) continue;
    for (const method of methods) {
      const one = item[method];
      if (one) all.push(operation(document, path, method.toUpperCase(), one, item.parameters ?? []));
    }
  }
  return all;
}

function operation(document: OpenAPI, path: string, method: string, one: Described, common: Parameter[]): Operation {
  const [type, content] = Object.entries(one.requestBody?.content ?? {})[0] ?? [];
  return {
    id: one.operationId, method, path, tag: one.tags?.[0] ?? "other", summary: one.summary ?? one.operationId,
    description: one.description, parameters: [...common, ...(one.parameters ?? [])].sort((a, b) => Number(b.required) - Number(a.required)),
    body: type && content ? { schema: content.schema, isRequired: one.requestBody?.required === true, type } : undefined,
    answers: Object.entries(one.responses).map(([status, answer]) => {
      const known = "$ref" in answer ? document.components.responses?.[nameOf(answer.$ref)] : answer;
      const [kind, media] = Object.entries(known?.content ?? {})[0] ?? [];
      return {
        status, schema: media?.schema, type: kind,
        description: status === "default" ? "What went wrong" : ("description" in answer && answer.description) || "",
      };
    }),
    isStream: one["x-ndjson"] === true, isIdempotent: one["x-idempotent"] === true, maxBodyBytes: one["x-max-body-bytes"],
  };
}

/** The name of a schema that is referred to. */
export function nameOf(reference: string): string { return reference.slice(reference.lastIndexOf("/") + 1); }

/** The schema itself where it is only referred to. */
export function resolved(schema: Schema, schemas: Record<string, Schema>): Schema {
  return schema.$ref ? schemas[nameOf(schema.$ref)] ?? {} : schema;
}

/** What kind of value it is, in a few words. */
export function kindOf(schema: Schema): string {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.oneOf) return schema.oneOf.map(kindOf).join(" or ");
  if (schema.enum) return "one of";
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type;
  if (type === "array") return `list of ${schema.items ? kindOf(schema.items) : "anything"}`;
  if (schema["x-timestamp"]) return "time in ms since 1970";
  if (type === "object" && schema.additionalProperties && typeof schema.additionalProperties === "object") {
    return `map of ${kindOf(schema.additionalProperties)}`;
  }
  return type ? `${type}${schema.format ? ` (${schema.format})` : ""}` : "anything";
}

/** The limits of a value, in a few words. */
export function limitsOf(schema: Schema): string {
  const found: string[] = [];
  const span = (least: number | undefined, most: number | undefined, unit: string) => {
    if (least !== undefined && most !== undefined) found.push(`${least.toLocaleString()} to ${most.toLocaleString()}${unit}`);
    else if (least !== undefined) found.push(`at least ${least.toLocaleString()}${unit}`);
    else if (most !== undefined) found.push(`at most ${most.toLocaleString()}${unit}`);
  };
  span(schema.minimum, schema.maximum, "");
  span(schema.minLength, schema.maxLength, " characters");
  span(schema.minItems, schema.maxItems, " elements");
  span(undefined, schema.maxProperties, " entries");
  if (schema.pattern) found.push(`like ${schema.pattern}`);
  if (schema["x-open-enum"]) found.push("others may come");
  return found.join(", ");
}

/** Whether every word is in the operation's name, address or sentence. */
export function matches(one: Operation, text: string): boolean {
  const place = `${one.id} ${one.method} ${one.path} ${one.summary} ${one.tag}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => place.includes(word));
}
