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
