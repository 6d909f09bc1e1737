// GraphiQL with its explorer, documentation and history, below Atoll's bar.

import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQL, GraphiQLInterface } from "graphiql";
import { useState } from "react";

import { Bar } from "./bar.jsx";
import { firstGroup, groupsOf, openSet } from "./examples.js";
import { EDITOR_THEME } from "./theme.js";

const PLUGINS = [DOC_EXPLORER_PLUGIN, explorerPlugin(), HISTORY_PLUGIN];
const WELCOME = "# Write a query here. Ctrl-Space completes it, Ctrl-Enter runs it.\n\n{\n  __typename\n}\n";

export function Ide({ examples, identity, fetcher }) {
  const groups = groupsOf(examples);
  const [opened, setOpened] = useState(() => openSet(firstGroup(groups)));
  const open = (group, title) => setOpened(openSet(group, title));
  return (
    // GraphiQL reads its tabs only when it is mounted, so another set of tabs mounts it again.
    <GraphiQLProvider
      key={opened.name}
      fetcher={fetcher}
      storage={opened.storage}
      defaultQuery={WELCOME}
      defaultTheme="light"
      editorTheme={EDITOR_THEME}
      inputValueDeprecation
      schemaDescription
      shouldPersistHeaders={false}
      plugins={PLUGINS}
      referencePlugin={DOC_EXPLORER_PLUGIN}
    >
      <HistoryStore>
        <DocExplorerStore>
          <Bar groups={groups} opened={opened} open={open} identity={identity} />
          <GraphiQLInterface
            showPersistHeadersSettings={false}
            defaultEditorToolsVisibility={opened.tabs.some(({ variables }) => variables) ? "variables" : false}
          >
            <GraphiQL.Logo>{null}</GraphiQL.Logo>
          </GraphiQLInterface>
        </DocExplorerStore>
      </HistoryStore>
    </GraphiQLProvider>
  );
}
