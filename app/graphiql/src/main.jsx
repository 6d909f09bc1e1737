// Entry point of the page: loads the examples and accounts, then renders GraphiQL.

import { createRoot } from "react-dom/client";

import { createFetcher } from "./fetcher.js";
import { createIdentity } from "./identity.js";
import { Ide } from "./ide.jsx";
import "./workers.js";
import "@fontsource-variable/inter/wght.css";
import "@fontsource/fira-code/latin-400.css";
import "@graphiql/react/style.css";
import "graphiql/graphiql.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./style.css";

const root = document.getElementById("root");

try {
  const response = await fetch("graphql/ide/config.json", { credentials: "omit" });
  const { examples, accounts } = await response.json();
  const identity = createIdentity(accounts);
  createRoot(root).render(<Ide examples={examples} identity={identity} fetcher={createFetcher(identity.token)} />);
} catch (error) {
  root.textContent = `GraphiQL could not start: ${error.message}`;
}
