"""Build steps that pyproject.toml cannot declare: GraphiQL is compiled, and the examples get their place in the wheel.

`ATOLL_WITHOUT_GRAPHIQL=1 pip wheel .` builds without GraphiQL, and so without Node.js and npm.
"""

import os
import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

GRAPHIQL = Path(__file__).parent / "app" / "graphiql"
# Run by path: importing `app.graphiql` needs Starlette, which an environment that only builds lacks.
COMPILER = runpy.run_path(str(GRAPHIQL / "build.py"))


class GraphiQLHook(BuildHookInterface[Any]):
    """Hook that runs before a wheel or an sdist is packed."""

    def dependencies(self) -> list[str]:
        """Return the requirement for Node.js if it is needed and this machine has none."""
        if _is_left_out() or COMPILER["is_current"]() or COMPILER["find_node"]():
            return []
        return [COMPILER["node_requirement"]()]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile GraphiQL and add it, and the examples, to the build. An editable install reads both in place."""
        if version == "editable":
            return
        if self.target_name == "wheel":
            build_data["force_include"]["docs/examples"] = "app/graphiql/examples"
        if _is_left_out():
            return
        try:
            COMPILER["build"](may_install_node=False)
        except COMPILER["BuildError"] as error:
            self.app.abort(
                f"GraphiQL cannot be built. {error}\nTo build Atoll without GraphiQL, set ATOLL_WITHOUT_GRAPHIQL=1."
            )
        build_data["artifacts"].append("/app/graphiql/dist/")


def _is_left_out() -> bool:
    return os.environ.get("ATOLL_WITHOUT_GRAPHIQL") == "1"
