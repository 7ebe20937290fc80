/**
 * The audit of GraphQL over HTTP by the graphql-http package, against FRAMEWISE_URL.
 *
 * Prints a line of JSON for each audit: {"id", "name", "status": "ok" | "warn" | "error" | "notice", "reason"?}.
 */
import { auditServer } from "graphql-http";

const url = new URL("/graphql", process.env.FRAMEWISE_URL).href;
for (const result of await auditServer({ url })) {
  const { id, name, status, reason } = result;
  process.stdout.write(`${JSON.stringify({ id, name, status, reason })}\n`);
}
