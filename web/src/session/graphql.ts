export const ENDPOINT = "/graphql";

export interface GraphQLAnswer {
  data?: Record<string, unknown> | null;
  errors?: readonly { message: string; extensions?: { code?: string } }[];
}

/** Everything that can be sent in one GraphQL request. */
export interface GraphQLRequest {
  query: string;
  variables?: unknown;
  operationName?: string | null | undefined;
}

/**
 * POST one operation.
 *
 * @returns The GraphQL answer, errors included, and when the server sent it by its own clock (milliseconds).
 * @throws Error - The server cannot be reached, or what answered does not speak GraphQL. The message is for people.
 */
export async function post(
  fetch: typeof globalThis.fetch,
  request: GraphQLRequest,
  headers: Record<string, string> = {},
): Promise<{ answer: GraphQLAnswer; sentAt: number }> {
  let response: Response;
  try {
    response = await fetch(ENDPOINT, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/graphql-response+json, application/json;q=0.9",
        ...headers,
      },
      body: JSON.stringify(request),
    });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const sentAt = Date.parse(response.headers.get("date") ?? "");
  const text = await response.text();
  try {
    const answer = JSON.parse(text) as GraphQLAnswer | null;
    if (answer?.data !== undefined || answer?.errors !== undefined) return { answer, sentAt };
  } catch {
    // Not JSON: said below, like JSON that is not GraphQL.
  }
  throw new Error(`The server answered ${response.status} ${text.slice(0, 200) || response.statusText}`.trim());
}

/** Whether an answer says that the access token was missing, expired or refused. */
export function isUnauthenticated(errors: unknown): boolean {
  return (
    Array.isArray(errors) &&
    errors.some((error: { extensions?: { code?: unknown } } | null) => error?.extensions?.code === "UNAUTHENTICATED")
  );
}
