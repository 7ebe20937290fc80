import { post, type GraphQLAnswer } from "./graphql";

/** What a page shows of the session. */
export interface SessionView {
  status: "restoring" | "signed-out" | "signed-in";
  username: string | null;
  /** A sentence for the person, such as why the session ended. */
  notice: string | null;
}

/** The part of BroadcastChannel that keeps the tabs of one session in step. */
export interface SessionChannel {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}

export interface SessionOptions {
  fetch: typeof globalThis.fetch;
  /** Keeps the refresh token over a reload: sessionStorage. */
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  channel?: SessionChannel | undefined;
  /** Milliseconds since 1970 by this machine's clock. */
  now?: () => number;
}

interface Tokens {
  accessToken: string;
  /** When to ask for the next access token: shortly before this one ends, by this machine's clock. */
  renewAt: number;
  refreshToken: string;
  username: string;
}

interface TabMessage {
  replaced: string;
  tokens: Tokens | null;
}

interface SessionPayload {
  session: {
    accessToken: string;
    accessTokenExpiresAt: string;
    refreshToken: string;
    user: { username: string };
  } | null;
  userErrors: { message: string }[];
}

export const STORAGE_KEY = "framewise.refreshToken";
const RENEW_BEFORE_MS = 30_000;
/** However short a life the server gives a token: asking for the next one more often than this is no use. */
const SHORTEST_USE_MS = 1_000;
const ENDED = "Your session has ended. Please sign in again.";
const PAYLOAD = `{
  session { accessToken accessTokenExpiresAt refreshToken user { username } }
  userErrors { message }
}`;
const SIGN_IN = `mutation SignIn($username: String!, $password: String!) {
  payload: signIn(input: { username: $username, password: $password }) ${PAYLOAD}
}`;
const SIGN_UP = `mutation SignUp($username: String!, $password: String!) {
  payload: signUp(input: { username: $username, password: $password }) ${PAYLOAD}
}`;
const REFRESH = `mutation RefreshSession($refreshToken: String!) {
  payload: refreshSession(refreshToken: $refreshToken) ${PAYLOAD}
}`;
const SIGN_OUT = `mutation SignOut($refreshToken: String!) {
  signOut(refreshToken: $refreshToken) { userErrors { message } }
}`;

/**
 * One person's session with the server: signs in, holds the tokens, renews them before they end.
 *
 * The access token lives in memory only. The refresh token also lies in sessionStorage, so a reload keeps the
 * session and closing the tab ends it. The server takes a refresh token once, and the browser copies
 * sessionStorage into a duplicated tab: tabs tell each other each new token over the channel.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #tokens: Tokens | null = null;
  #refreshToken: string | null;
  #renewal: Promise<void> | null = null;
  #view: SessionView;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#refreshToken = options.storage.getItem(STORAGE_KEY);
    this.#view = { status: this.#refreshToken ? "restoring" : "signed-out", username: null, notice: null };
    options.channel?.addEventListener("message", ({ data }) => this.#adopt(data as TabMessage));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): SessionView => this.#view;

  /** When the present access token is to be replaced (milliseconds since 1970); null without one. */
  get renewAt(): number | null {
    return this.#tokens?.renewAt ?? null;
  }

  /** Continue the session of before a reload, if there was one. */
  async restore(): Promise<void> {
    if (!this.#refreshToken) return;
    try {
      await this.renew();
    } catch (error) {
      // The refresh token is kept: the next request, or a reload, tries again.
      this.#show({ status: "signed-out", notice: messageOf(error) });
    }
  }

  /** @throws Error - The message is for the person: wrong password, or the server cannot be reached. */
  async signIn(username: string, password: string): Promise<void> {
    await this.#open(SIGN_IN, { username, password });
  }

  /** Make an account, and sign in with it. @throws Error - The message is for the person. */
  async signUp(username: string, password: string): Promise<void> {
    await this.#open(SIGN_UP, { username, password });
  }

  /** Forget the tokens, in every tab of this session, and tell the server. */
  async signOut(): Promise<void> {
    const refreshToken = this.#refreshToken;
    if (!refreshToken) return;
    this.#keep(null, refreshToken);
    try {
      await post(this.#options.fetch, { query: SIGN_OUT, variables: { refreshToken } });
    } catch {
      // The tokens are gone from here either way; the server's copy runs out by itself.
    }
  }

  /**
   * An access token that is good for a while yet, renewed if need be; null when nobody is signed in.
   *
   * @throws Error - The token has to be renewed and the server cannot be reached.
   */
  async accessToken(): Promise<string | null> {
    if (this.#refreshToken && !(this.#tokens && this.#now() < this.#tokens.renewAt)) await this.renew();
    return this.#tokens?.accessToken ?? null;
  }

  /**
   * Trade the refresh token for new tokens, once however many ask. If the server refuses it, the session is over.
   *
   * @throws Error - The server cannot be reached, or fails; the session stays as it is.
   */
  renew(): Promise<void> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renew(): Promise<void> {
    const refreshToken = this.#refreshToken;
    if (!refreshToken) return;
    const tokens = await this.#request(REFRESH, { refreshToken }).catch((error: unknown) => {
      if (error instanceof RefusedError) return null;
      throw error;
    });
    // Another tab's news or a sign-out may have come first.
    if (this.#refreshToken !== refreshToken) return;
    this.#keep(tokens, refreshToken, tokens ? null : ENDED);
  }

  async #open(query: string, variables: Record<string, string>): Promise<void> {
    this.#keep(await this.#request(query, variables), null);
  }

  async #request(query: string, variables: Record<string, string>): Promise<Tokens> {
    const { answer, sentAt } = await post(this.#options.fetch, { query, variables });
    const { session, userErrors } = payloadOf(answer);
    if (!session) {
      throw new RefusedError(userErrors.map(({ message }) => message).join(" ") || "The server refused.");
    }
    // A lifetime, not a time of day: this machine's clock may be wrong.
    const now = this.#now();
    const life = Date.parse(session.accessTokenExpiresAt) - (Number.isNaN(sentAt) ? now : sentAt);
    return {
      accessToken: session.accessToken,
      renewAt: now + Math.max(life - RENEW_BEFORE_MS, life / 2, SHORTEST_USE_MS),
      refreshToken: session.refreshToken,
      username: session.user.username,
    };
  }

  #keep(tokens: Tokens | null, replaced: string | null, notice: string | null = null): void {
    this.#tokens = tokens;
    this.#refreshToken = tokens?.refreshToken ?? null;
    if (tokens) this.#options.storage.setItem(STORAGE_KEY, tokens.refreshToken);
    else this.#options.storage.removeItem(STORAGE_KEY);
    if (replaced) this.#options.channel?.postMessage({ replaced, tokens } satisfies TabMessage);
    this.#show({ status: tokens ? "signed-in" : "signed-out", username: tokens?.username ?? null, notice });
  }

  #adopt({ replaced, tokens }: TabMessage): void {
    if (replaced === this.#refreshToken) this.#keep(tokens, null);
  }

  #show(change: Partial<SessionView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** The server understood and said no, in a sentence for the person. */
class RefusedError extends Error {}

function payloadOf({ data, errors }: GraphQLAnswer): SessionPayload {
  const payload = data?.payload as SessionPayload | null | undefined;
  if (payload) return payload;
  const message = errors?.map((error) => error.message).join(" ") || "The server gave no answer.";
  throw errors?.some((error) => error.extensions?.code === "UNAUTHENTICATED")
    ? new RefusedError(message)
    : new Error(message);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
