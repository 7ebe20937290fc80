import type { GraphiQLProps } from "graphiql";
import { createClient } from "graphql-ws";
import { type DefinitionNode, Kind, type OperationDefinitionNode, OperationTypeNode, parse } from "graphql";
import { ENDPOINT, isUnauthenticated, post } from "../session/graphql";
import type { Session } from "../session/session";

type Fetcher = GraphiQLProps["fetcher"];
type Params = Parameters<Fetcher>[0];
type Headers = Record<string, string>;

interface Observer {
  next(value: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

const KEEP_ALIVE_MS = 15_000;
/** setTimeout takes no longer waits; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * How GraphiQL reaches the API: POST for queries and mutations, graphql-ws for subscriptions.
 *
 * Requests carry the session's access token, unless an Authorization header was typed in the headers editor.
 */
export function createFetcher(session: Session): Fetcher {
  return ((params, options) => {
    const headers = options?.headers ?? {};
    const operation = chooseOperation(params);
    // GraphiQL learns of an edit a moment late, so the name it gives may be of what stood in the editor before.
    const current = operation ? { ...params, operationName: operation.name?.value ?? null } : params;
    return operation?.operation === OperationTypeNode.SUBSCRIPTION
      ? { subscribe: (observer: Observer) => ({ unsubscribe: subscribe(session, current, headers, observer) }) }
      : request(session, current, headers);
  }) as Fetcher;
}

async function request(session: Session, params: Params, headers: Headers): Promise<unknown> {
  try {
    const { answer } = await post(fetch, params, await withAuthorization(session, headers));
    if (isUnauthenticated(answer.errors)) checkSession(session, headers);
    return answer;
  } catch (error) {
    return { errors: sentence(error) };
  }
}

function subscribe(session: Session, params: Params, headers: Headers, observer: Observer): () => void {
  let renewing = false;
  let renewTimer: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: new URL(ENDPOINT, location.href).href.replace(/^http/, "ws"),
    connectionParams: () => withAuthorization(session, headers),
    keepAlive: KEEP_ALIVE_MS,
    retryWait: async (retries) => {
      const wait = renewing ? 0 : 1000 * 2 ** retries;
      renewing = false;
      await new Promise((resolve) => setTimeout(resolve, wait));
    },
    on: {
      closed: () => clearTimeout(renewTimer),
      // The server ends subscriptions with the token they began with: connect anew before that.
      connected: () => {
        clearTimeout(renewTimer);
        const renewAt = hasAuthorization(headers) ? null : session.renewAt;
        if (renewAt === null) return;
        renewTimer = setTimeout(
          () => {
            renewing = true;
            client.terminate();
          },
          Math.min(Math.max(renewAt - Date.now(), 0), LONGEST_TIMER_MS),
        );
      },
    },
  });
  return client.subscribe(
    // graphql-ws takes no undefined operation name.
    { query: params.query, variables: params.variables, operationName: params.operationName ?? null },
    {
      next: (result) => observer.next(result),
      complete: () => observer.complete(),
      error: (error) => {
        if (isUnauthenticated(error)) checkSession(session, headers);
        observer.error(readable(error));
      },
    },
  );
}

async function withAuthorization(session: Session, headers: Headers): Promise<Headers> {
  if (hasAuthorization(headers)) return headers;
  const token = await session.accessToken();
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

function hasAuthorization(headers: Headers): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
}

/** The server refused our token before its time (a password change, say): find out whether the session is over. */
function checkSession(session: Session, headers: Headers): void {
  if (!hasAuthorization(headers)) session.renew().catch(() => {});
}

/** The operation to run: the one named, or else the only one; null where the server shall say what is wrong. */
function chooseOperation({ query, operationName }: Params): OperationDefinitionNode | null {
  let definitions: readonly DefinitionNode[];
  try {
    ({ definitions } = parse(query));
  } catch {
    return null;
  }
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const named = operations.find(({ name }) => name?.value === operationName);
  return named ?? (operations.length === 1 ? (operations[0] ?? null) : null);
}

/** What GraphiQL can print: GraphQL errors as they are, and a sentence for what the socket did. */
function readable(error: unknown): unknown {
  if (Array.isArray(error)) return error;
  if (error instanceof CloseEvent) {
    return sentence(new Error(`The server closed the connection: ${error.reason || `code ${error.code}`}.`));
  }
  return sentence(error instanceof Error ? error : new Error("The WebSocket connection to the server failed."));
}

/** An error in the form of GraphQL's: GraphiQL would print an Error with its stack. */
function sentence(error: unknown): { message: string }[] {
  return [{ message: error instanceof Error ? error.message : String(error) }];
}
