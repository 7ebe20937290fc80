import { buildSchema, parse, validate } from "graphql";
import { expect, it } from "vitest";
import schemaText from "../../../schema.graphql?raw";
import { EXAMPLES } from "./examples";

const schema = buildSchema(schemaText);

it.each(EXAMPLES)("each example is valid against the API's schema", ({ query }) => {
  expect(validate(schema, parse(query))).toEqual([]);
});
