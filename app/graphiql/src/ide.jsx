// GraphiQL with its plugins, below Atoll's bar.

import { DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQL, GraphiQLInterface } from "graphiql";
import { useState } from "react";

import { Bar } from "./bar.jsx";
import { DOCUMENTATION_PLUGIN } from "./documentation.jsx";
import { createExamplesPlugin } from "./examples.jsx";
import { isFirstVisit, storage } from "./storage.js";
import { EDITOR_THEME } from "./theme.js";

const WELCOME = "# Write a query here. Ctrl-Space completes it, Ctrl-Enter runs it.\n\n{\n  __typename\n}\n";

export function Ide({ examples, identity, fetcher }) {
  const [isFirst] = useState(isFirstVisit);
  const [plugins] = useState(() => [
    createExamplesPlugin(examples, identity, fetcher),
    DOCUMENTATION_PLUGIN,
    explorerPlugin(),
    HISTORY_PLUGIN,
  ]);
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      storage={storage}
      defaultQuery={examples[0]?.query ?? WELCOME}
      defaultTheme="light"
      editorTheme={EDITOR_THEME}
      inputValueDeprecation
      schemaDescription
      shouldPersistHeaders={false}
      plugins={plugins}
      referencePlugin={DOCUMENTATION_PLUGIN}
      visiblePlugin={isFirst ? plugins[0] : undefined}
    >
      <HistoryStore>
        <DocExplorerStore>
          <Bar identity={identity} fetcher={fetcher} isFirstVisit={isFirst} />
          <GraphiQLInterface showPersistHeadersSettings={false} defaultEditorToolsVisibility="variables">
            <GraphiQL.Logo>{null}</GraphiQL.Logo>
          </GraphiQLInterface>
        </DocExplorerStore>
      </HistoryStore>
    </GraphiQLProvider>
  );
}
