// PostGraphile 5 with row-level security: the token's digest is a setting of the transaction, the policies read it.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import "graphile-config";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const digest = (header) => createHash("sha256").update((header ?? "").replace(/^Bearer /, "")).digest("hex");
const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: process.env.VIEWER_URL,
      superuserConnectionString: process.env.OWNER_URL,
      schemas: ["public"],
    }),
  ],
  grafast: {
    context: ({ http }) => ({ pgSettings: { "viewer.digest": digest(http?.getHeader("authorization")) } }),
  },
  grafserv: { graphqlPath: "/graphql", watch: false },
};
const serv = postgraphile(preset).createServ(grafserv);
const server = createServer();
server.on("error", (error) => console.error(error));
await serv.addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
