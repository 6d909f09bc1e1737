// Build of GraphiQL by Vite into `dist`.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  // A proxy may serve Atoll under any prefix, so no address begins at the root. The page is `graphql`, its files are in
  // `graphql/ide/`; these refer to each other by relative addresses.
  base: "./",
  experimental: {
    renderBuiltUrl: (file, { hostType }) => (hostType === "html" ? `graphql/ide/${file}` : { relative: true }),
  },
  plugins: [react()],
  // Workers too are module scripts of this origin.
  worker: { format: "es" },
  build: {
    // The licences of the bundled packages ask to be passed on with them.
    license: { fileName: "LICENSES.md" },
    // A font or picture inlined as data: would need a wider content security policy.
    assetsInlineLimit: 0,
    // The editor alone exceeds the size above which Vite warns.
    chunkSizeWarningLimit: 6000,
    // The polyfill is for browsers that GraphiQL does not support.
    modulePreload: { polyfill: false },
  },
});
