// Editor themes in Atoll's colours, and word wrap.

import { pick, useGraphiQL, useGraphiQLActions, useMonaco } from "@graphiql/react";
import { useEffect } from "react";

/** Names of the themes, for GraphiQL's `editorTheme`. */
export const EDITOR_THEME = { light: "atoll-light", dark: "atoll-dark" };

const THEMES = {
  [EDITOR_THEME.light]: themeOf("vs", "#075f73", "#ffffff", "#6c69ce"),
  [EDITOR_THEME.dark]: themeOf("vs-dark", "#22d3ee", "#212a3b", "#908aff"),
};

/** Define the themes as soon as the editor is loaded. */
export function useEditorTheme() {
  const monaco = useMonaco((state) => state.monaco);
  const theme = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    if (monaco) {
      Object.entries(THEMES).forEach(([name, data]) => monaco.editor.defineTheme(name, data));
      setTheme(theme);
    }
  }, [monaco]);
}

/** Wrap long lines: beside the panel and the response, an editor shows about forty characters. */
export function useWordWrap() {
  const { queryEditor, variableEditor } = useGraphiQL(pick("queryEditor", "variableEditor"));
  useEffect(() => {
    for (const editor of [queryEditor, variableEditor]) {
      editor?.updateOptions({ wordWrap: "on" });
    }
  }, [queryEditor, variableEditor]);
}

function themeOf(base, accent, ground, argument) {
  return {
    base,
    inherit: true,
    rules: [{ token: "argument.identifier.gql", foreground: argument.slice(1) }],
    colors: {
      // Transparent, so that the editors have the colour of their panes.
      "editor.background": "#ffffff00",
      "scrollbar.shadow": "#ffffff00",
      focusBorder: accent,
      "textLink.foreground": accent,
      "textLink.activeForeground": accent,
      "editorLink.activeForeground": accent,
      "editorWidget.background": ground,
      "editorHoverWidget.background": ground,
      "editorSuggestWidget.background": ground,
      "editorSuggestWidget.selectedBackground": `${accent}1f`,
      "editorSuggestWidget.selectedForeground": accent,
      "list.hoverBackground": `${accent}14`,
      "list.highlightForeground": accent,
      "list.focusHighlightForeground": accent,
      "quickInput.background": ground,
      "quickInputList.focusBackground": `${accent}1f`,
      "menu.background": ground,
      "menu.selectionBackground": `${accent}1f`,
      "menu.selectionForeground": accent,
    },
  };
}
