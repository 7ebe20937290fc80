import { expect, it } from "vitest";
import { createStorage } from "./storage";

/** localStorage keeps its items as properties; Object.keys lists them. */
function memory(): Storage {
  const items = Object.create({
    getItem(key: string) {
      return (this as unknown as Record<string, string>)[key] ?? null;
    },
    setItem(key: string, value: string) {
      (this as unknown as Record<string, string>)[key] = value;
    },
    removeItem(key: string) {
      delete (this as unknown as Record<string, string>)[key];
    },
  });
  return items as Storage;
}

it("keeps the history without its headers", () => {
  const storage = createStorage(memory());
  const entry = { query: "{ me { id } }", variables: '{"headers": 1}', headers: '{"Authorization": "Bearer x"}' };
  storage.setItem("graphiql:queries", JSON.stringify({ queries: [entry] }));
  storage.setItem("graphiql:favorites", JSON.stringify({ favorites: [{ ...entry, favorite: true }] }));
  const { headers: _, ...kept } = entry;
  expect(JSON.parse(storage.getItem("graphiql:queries") ?? "")).toEqual({ queries: [kept] });
  expect(JSON.parse(storage.getItem("graphiql:favorites") ?? "")).toEqual({ favorites: [{ ...kept, favorite: true }] });
});

it("keeps the rest as it is, and clears only GraphiQL's own", () => {
  const local = memory();
  local.setItem("other", "stays");
  const storage = createStorage(local);
  storage.setItem("graphiql:theme", "dark");
  expect(storage.getItem("graphiql:theme")).toBe("dark");
  expect(storage.length).toBe(1);
  storage.clear();
  expect(storage.getItem("graphiql:theme")).toBeNull();
  expect(local.getItem("other")).toBe("stays");
});

it("gives the editors what stands in the active tab", () => {
  const storage = createStorage(memory());
  expect(storage.getItem("graphiql:query")).toBeNull();
  storage.setItem("graphiql:query", "{ late }");
  const tabs = [{ query: "{ a }" }, { query: "{ b }", variables: '{"id": 1}' }];
  storage.setItem("graphiql:tabState", JSON.stringify({ activeTabIndex: 1, tabs }));
  expect(storage.getItem("graphiql:query")).toBe("{ b }");
  expect(storage.getItem("graphiql:variables")).toBe('{"id": 1}');
  storage.setItem("graphiql:tabState", JSON.stringify({ activeTabIndex: 0, tabs }));
  expect(storage.getItem("graphiql:variables")).toBeNull();
});
