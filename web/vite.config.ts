import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  // The API serves dist/assets at /static/assets, and each page at an address of its own.
  base: "/static/",
  plugins: [react()],
  worker: { format: "es" },
  build: {
    target: "es2022",
    // Monaco is one large part whatever one does; the default warning would greet every build.
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      input: ["graphiql.html"],
      checks: { moduleLevelDirective: false },
    },
  },
});
