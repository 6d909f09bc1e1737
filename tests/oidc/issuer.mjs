// OpenID Connect issuer on loopback, which issues JWT access tokens for the audience in argv.
//
// It reads one command per line. At its start and after each command it prints one line of JSON, {issuer, kids}:
//   add ALG    sign with a new key of this algorithm from now on; older keys stay published
//   drop KID   stop publishing this key
//   claims JSON   add these claims to tokens from now on
// It exits at the end of its input, so that no test can leave it running.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import Provider from "oidc-provider";

// Keeps the library's messages out of the standard output.
console.info = console.warn = console.error;

const KINDS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  PS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519"],
};
const [audience, clientId, clientSecret] = process.argv.slice(2);
let keys = [];
let claims = {};
let provider;

function newKey(alg) {
  const { privateKey } = generateKeyPairSync(...KINDS[alg]);
  return { ...privateKey.export({ format: "jwk" }), alg, kid: randomUUID(), use: "sig" };
}

// oidc-provider takes its keys when it is created, so a change of keys needs a new provider at the same address.
function createProvider() {
  const algorithms = [...new Set(keys.map((key) => key.alg))];
  provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: algorithms[0],
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    extraTokenClaims: () => claims,
    ttl: { ClientCredentials: 300 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: "collections",
          accessTokenFormat: "jwt",
          accessTokenTTL: 300,
          jwt: { sign: { alg: keys[0].alg, kid: keys[0].kid } },
        }),
        defaultResource: () => audience,
      },
    },
  });
}

function printDescription() {
  console.log(JSON.stringify({ issuer, kids: keys.map((key) => key.kid) }));
}

const server = createServer((request, response) => provider.callback()(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

keys = [newKey("RS256")];
createProvider();
printDescription();
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(/ (.*)/);
  if (command === "claims") claims = JSON.parse(argument);
  else keys = command === "add" ? [newKey(argument), ...keys] : keys.filter((key) => key.kid !== argument);
  createProvider();
  printDescription();
}
process.exit();
