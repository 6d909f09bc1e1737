// Documentation of the schema, with a search in names and descriptions.

import { DOC_EXPLORER_PLUGIN, DocExplorer, useDocExplorer, useDocExplorerActions } from "@graphiql/plugin-doc-explorer";
import { MagnifyingGlassIcon, useGraphiQL } from "@graphiql/react";
import { useEffect, useMemo, useState } from "react";

import { entriesOf, search } from "./schema-search.js";

/** GraphiQL's documentation, whose own search finds names only. */
export const DOCUMENTATION_PLUGIN = { ...DOC_EXPLORER_PLUGIN, content: Documentation };

function Documentation() {
  const [text, setText] = useState("");
  const schema = useGraphiQL((state) => state.schema);
  const entries = useMemo(() => (schema ? entriesOf(schema) : []), [schema]);
  const place = useDocExplorer();
  const { push } = useDocExplorerActions();
  // Following a link, here or in the editor, ends the search.
  useEffect(() => setText(""), [place]);
  return (
    <>
      <label className="atoll-search">
        <MagnifyingGlassIcon />
        <input
          type="search"
          placeholder="Search names and descriptions"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      {text.trim() ? <Results results={search(entries, text)} push={push} /> : <DocExplorer />}
    </>
  );
}

function Results({ results, push }) {
  if (results.length === 0) {
    return <p className="atoll-quiet">Nothing in the schema has these words.</p>;
  }
  return (
    <ul className="atoll-results">
      {results.map(({ name, description, definitions }) => (
        <li key={name}>
          <button type="button" onClick={() => definitions.forEach((def) => push({ name: def.name, def }))}>
            <code>{name}</code>
            <span className="atoll-quiet">{description}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
