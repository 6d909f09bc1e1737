// Sentence on whose token is used.

import { useEffect, useState } from "react";

const VIEWER = "query Viewer { viewer { isAdmin user { name } } }";
const TYPING_MS = 300;

/** Say whose the token is, unless that is said elsewhere, or the way out if it is not valid. */
export function Status({ token, fetcher, onlyIfInvalid }) {
  const [status, setStatus] = useState(null);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(async () => {
      const next = statusOf(await fetcher({ query: VIEWER, operationName: "Viewer" }));
      if (isCurrent) setStatus(next);
    }, TYPING_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [token, fetcher]);
  return (
    <output className="atoll-status" data-invalid={status?.isInvalid || undefined}>
      {(status?.isInvalid || !onlyIfInvalid) && status?.text}
    </output>
  );
}

function statusOf({ data, errors }) {
  const viewer = data?.viewer;
  if (viewer) {
    return { text: `Signed in as ${viewer.user.name}${viewer.isAdmin ? ", administrator" : ""}` };
  }
  if (errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED")) {
    return { text: "This token is invalid or expired. Paste another: atoll token USER creates one.", isInvalid: true };
  }
  return errors ? { text: errors[0].message, isInvalid: true } : { text: "Visitor: no token" };
}
