import { beforeEach, describe, expect, it } from "vitest";
import { Session, STORAGE_KEY, type SessionChannel } from "./session";

const START = Date.parse("2026-03-01T12:00:00Z");
const LIFE_MS = 900_000;

/** The server's side of a session: takes each refresh token once; reuse of an old one ends the family. */
class Server {
  now = START;
  clockAheadMs = 0;
  reachable = true;
  requests: string[] = [];
  #count = 0;
  #current: string | null = null;
  #old = new Set<string>();

  fetch = async (_url: unknown, init?: RequestInit): Promise<Response> => {
    if (!this.reachable) throw new TypeError("fetch failed");
    const { query, variables } = JSON.parse(String(init?.body));
    const name = /mutation (\w+)/.exec(query)?.[1] ?? "";
    this.requests.push(name);
    await Promise.resolve();
    return new Response(JSON.stringify({ data: { payload: this.#answer(name, variables) } }), {
      headers: { date: new Date(this.now + this.clockAheadMs).toUTCString() },
    });
  };

  #answer(name: string, variables: Record<string, string>): unknown {
    if (name === "SignOut") {
      this.#current = null;
      return { userErrors: [] };
    }
    if (name === "RefreshSession") {
      const given = variables.refreshToken ?? "";
      if (given !== this.#current) {
        if (this.#old.has(given)) this.#current = null;
        return refusal("This session has ended.");
      }
      return this.#issue();
    }
    return variables.password === "correct" ? this.#issue() : refusal("Wrong username or password.");
  }

  #issue(): unknown {
    if (this.#current) this.#old.add(this.#current);
    this.#count += 1;
    this.#current = `refresh-${this.#count}`;
    return {
      session: {
        accessToken: `access-${this.#count}`,
        accessTokenExpiresAt: new Date(this.now + this.clockAheadMs + LIFE_MS).toISOString(),
        refreshToken: this.#current,
        user: { username: "ada" },
      },
      userErrors: [],
    };
  }
}

function refusal(message: string): unknown {
  return { session: null, userErrors: [{ message }] };
}

class Memory {
  readonly items: Map<string, string>;
  constructor(items: Iterable<[string, string]> = []) {
    this.items = new Map(items);
  }
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
  removeItem = (key: string) => void this.items.delete(key);
}

/** Channels of one browser: what one posts, the others hear. */
function connectedChannels(): () => SessionChannel {
  const all: { channel: SessionChannel; listeners: ((event: { data: unknown }) => void)[] }[] = [];
  return () => {
    const listeners: ((event: { data: unknown }) => void)[] = [];
    const channel: SessionChannel = {
      addEventListener: (_type, listener) => void listeners.push(listener),
      postMessage: (message) => {
        for (const other of all) {
          if (other.channel !== channel) for (const hear of other.listeners) hear({ data: structuredClone(message) });
        }
      },
    };
    all.push({ channel, listeners });
    return channel;
  };
}

let server: Server;
let storage: Memory;

beforeEach(() => {
  server = new Server();
  storage = new Memory();
});

function openTab(options: { storage?: Memory; channel?: SessionChannel } = {}): Session {
  return new Session({
    fetch: server.fetch as typeof fetch,
    storage: options.storage ?? storage,
    channel: options.channel,
    now: () => server.now,
  });
}

describe("signing in", () => {
  it("shows who is signed in and gives the access token", async () => {
    const session = openTab();
    expect(session.view().status).toBe("signed-out");
    expect(await session.accessToken()).toBeNull();

    await session.signIn("ada", "correct");

    expect(session.view()).toEqual({ status: "signed-in", username: "ada", notice: null });
    expect(await session.accessToken()).toBe("access-1");
  });

  it("says what the server says to a wrong password, and keeps nothing", async () => {
    const session = openTab();
    await expect(session.signIn("ada", "wrong")).rejects.toThrow("Wrong username or password.");
    expect(session.view().status).toBe("signed-out");
    expect(storage.items.size).toBe(0);
  });

  it("says that the server cannot be reached", async () => {
    server.reachable = false;
    await expect(openTab().signUp("ada", "correct")).rejects.toThrow("The server cannot be reached.");
  });

  it("quotes a proxy that does not speak GraphQL", async () => {
    const session = new Session({
      fetch: async () => new Response("Bad gateway", { status: 502 }),
      storage,
    });
    await expect(session.signIn("ada", "correct")).rejects.toThrow("The server answered 502 Bad gateway");
  });

  it("stores the refresh token and never the access token", async () => {
    await openTab().signIn("ada", "correct");
    expect([...storage.items]).toEqual([[STORAGE_KEY, "refresh-1"]]);
  });

  it("tells its listeners", async () => {
    const session = openTab();
    const seen: string[] = [];
    const stop = session.subscribe(() => seen.push(session.view().status));
    await session.signIn("ada", "correct");
    stop();
    await session.signOut();
    expect(seen).toEqual(["signed-in"]);
  });
});

describe("renewing", () => {
  it("uses one access token until shortly before its end", async () => {
    const session = openTab();
    await session.signIn("ada", "correct");
    server.now += LIFE_MS - 31_000;
    expect(await session.accessToken()).toBe("access-1");
    server.now += 2_000;
    expect(await session.accessToken()).toBe("access-2");
    expect(storage.items.get(STORAGE_KEY)).toBe("refresh-2");
  });

  it("asks once however many need a token", async () => {
    const session = openTab();
    await session.signIn("ada", "correct");
    server.now += LIFE_MS;
    const tokens = await Promise.all([1, 2, 3].map(() => session.accessToken()));
    expect(tokens).toEqual(["access-2", "access-2", "access-2"]);
    expect(server.requests).toEqual(["SignIn", "RefreshSession"]);
  });

  it.each([-7_200_000, 7_200_000])("is right when the server's clock is off by %d ms", async (ahead) => {
    server.clockAheadMs = ahead;
    const session = openTab();
    await session.signIn("ada", "correct");
    server.now += LIFE_MS - 35_000;
    expect(await session.accessToken()).toBe("access-1");
    server.now += 10_000;
    expect(await session.accessToken()).toBe("access-2");
  });

  it("ends the session when the server refuses, and says so", async () => {
    const session = openTab();
    await session.signIn("ada", "correct");
    await openTab().signOut();
    server.now += LIFE_MS;
    expect(await session.accessToken()).toBeNull();
    expect(session.view()).toEqual({
      status: "signed-out",
      username: null,
      notice: "Your session has ended. Please sign in again.",
    });
  });

  it("keeps the session while the server is away", async () => {
    const session = openTab();
    await session.signIn("ada", "correct");
    server.now += LIFE_MS;
    server.reachable = false;
    await expect(session.accessToken()).rejects.toThrow("The server cannot be reached.");
    expect(session.view().status).toBe("signed-in");
    server.reachable = true;
    expect(await session.accessToken()).toBe("access-2");
  });
});

describe("a reload", () => {
  it("continues the session", async () => {
    await openTab().signIn("ada", "correct");
    const reloaded = openTab();
    expect(reloaded.view().status).toBe("restoring");
    await reloaded.restore();
    expect(reloaded.view()).toEqual({ status: "signed-in", username: "ada", notice: null });
  });

  it("can be tried again when the server was away", async () => {
    await openTab().signIn("ada", "correct");
    server.reachable = false;
    const reloaded = openTab();
    await reloaded.restore();
    expect(reloaded.view().notice).toBe("The server cannot be reached.");
    server.reachable = true;
    expect(await reloaded.accessToken()).toBe("access-2");
    expect(reloaded.view().status).toBe("signed-in");
  });

  it("without a session asks nothing", async () => {
    await openTab().restore();
    expect(server.requests).toEqual([]);
  });
});

describe("signing out", () => {
  it("forgets the tokens even when the server cannot be told", async () => {
    const session = openTab();
    await session.signIn("ada", "correct");
    server.reachable = false;
    await session.signOut();
    expect(session.view().status).toBe("signed-out");
    expect(await session.accessToken()).toBeNull();
    expect(storage.items.size).toBe(0);
  });

  it("is not undone by a renewal on its way", async () => {
    const session = openTab();
    await session.signIn("ada", "correct");
    const renewal = session.renew();
    const signOut = session.signOut();
    await Promise.all([renewal, signOut]);
    expect(session.view().status).toBe("signed-out");
    expect(storage.items.size).toBe(0);
  });
});

describe("a duplicated tab", () => {
  it("and the first one go on with each other's new tokens", async () => {
    const channel = connectedChannels();
    const first = openTab({ channel: channel() });
    await first.signIn("ada", "correct");
    const copy = new Memory(storage.items);
    const second = openTab({ storage: copy, channel: channel() });
    await second.restore();
    for (const session of [first, second, first]) {
      server.now += LIFE_MS;
      expect(await session.accessToken()).toMatch(/^access-/);
    }
    expect(storage.items.get(STORAGE_KEY)).toBe(copy.items.get(STORAGE_KEY));
  });

  it("is signed out with the first one", async () => {
    const channel = connectedChannels();
    const first = openTab({ channel: channel() });
    await first.signIn("ada", "correct");
    const second = openTab({ storage: new Memory(storage.items), channel: channel() });
    await second.restore();
    await first.signOut();
    expect(second.view().status).toBe("signed-out");
  });

  it("does not touch another person's tab", async () => {
    const channel = connectedChannels();
    const first = openTab({ channel: channel() });
    const other = openTab({ storage: new Memory(), channel: channel() });
    await first.signIn("ada", "correct");
    await first.renew();
    await first.signOut();
    expect(other.view()).toEqual({ status: "signed-out", username: null, notice: null });
  });
});
