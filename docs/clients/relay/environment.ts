import { Environment, type FetchFunction, Network, RecordSource, Store } from 'relay-runtime';

export function createEnvironment(url: string, token?: string): Environment {
  const send: FetchFunction = async ({ id, name, text }, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ documentId: id ?? undefined, operationName: name, query: text ?? undefined, variables }),
    });
    return response.json();
  };
  return new Environment({ network: Network.create(send), store: new Store(new RecordSource()) });
}

interface CodedError {
  extensions?: { code?: string };
}

/** Returns the codes of the errors of a mutation (`onCompleted`), or of a failed operation (`onError`). */
export function codesOf(failure: readonly object[] | Error | null | undefined): unknown[] {
  const { source } = (failure ?? {}) as { source?: { errors?: readonly CodedError[] } };
  const errors = Array.isArray(failure) ? (failure as readonly CodedError[]) : source?.errors;
  return errors?.map(({ extensions }) => extensions?.code) ?? [];
}
