# Needs make and Python 3.11 or newer. Every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run quick test check prove bench permissions schema migration graphiql wheel lock clean set-up set-up-dev

# Passed on to the command of the target: make run ARGS="--port 9000", make test ARGS="-n 2 -k viewer".
ARGS ?=
COMPILE = uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-strip-extras --custom-compile-command "make lock" $(ARGS)

# Installers keep caches in the home directory. A user without one gets one here.
ifneq ($(shell [ -n "$$HOME" ] && [ -w "$$HOME" ] && echo yes),yes)
export HOME := $(CURDIR)/build/home
endif

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1#\2/p' Makefile | while IFS='#' read -r name what; do \
		printf '%-18s%s\n' "$$name" "$$what"; done

run: set-up ## serve the demo on http://127.0.0.1:8000, with GraphiQL at /graphql
	@.venv/bin/python -m app.graphiql.build || echo 'GraphiQL is not built: /graphql shows no editor. The API works.'
	@exec .venv/bin/atoll serve --demo $(ARGS)

quick: set-up-dev ## run the fast tests, on SQLite, in under a minute
	@.venv/bin/python -m pytest -n auto -m quick $(ARGS)

test: set-up-dev ## run all tests, on SQLite and PostgreSQL
	@.venv/bin/python -m app.graphiql.build || echo 'GraphiQL is not built: its tests are skipped.'
	@.venv/bin/python -m pytest -n auto $(ARGS)

check: set-up-dev ## check format, lint, types, layers and schema.graphql
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/atoll schema --check schema.graphql
	.venv/bin/atoll schema --compatible-with released.graphql

prove: set-up-dev ## run all proofs and write their record, docs/proofs.md (some hours; ARGS="leaks --minutes 10")
	@.venv/bin/python -m proofs $(ARGS)

bench: set-up-dev ## measure Atoll beside other servers and write docs/performance.md (20 minutes at most; Linux)
	@.venv/bin/python -m benchmarks.race $(ARGS)

permissions: set-up-dev ## regenerate docs/permissions.md
	@mkdir -p build
	.venv/bin/python -m proofs.permission_matrix >build/permissions.md
	mv build/permissions.md docs/permissions.md

schema: set-up ## regenerate schema.graphql
	@mkdir -p build
	.venv/bin/atoll schema >build/schema.graphql
	mv build/schema.graphql schema.graphql

migration: set-up-dev ## generate a migration of changed models: make migration MESSAGE="Add the colour of topics"
	@.venv/bin/python -m store.make_migration "$$MESSAGE"
	@.venv/bin/ruff format --quiet store/migrations

graphiql: set-up ## build GraphiQL, the editor at /graphql
	.venv/bin/python -m app.graphiql.build

wheel: set-up ## build the wheel into build/dist, with GraphiQL in it
	.venv/bin/python -m app.graphiql.build
	.venv/bin/python -m hatchling build --target wheel --directory build/dist

lock: ## resolve the locked dependencies again (needs uv; ARGS=--upgrade raises versions)
	@command -v uv >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(COMPILE) -c requirements-dev.lock - -o requirements-build.lock
	$(COMPILE) tests/clients/requirements.in -o tests/clients/requirements.lock

clean: ## remove everything that the other targets made, except databases
	rm -rf .venv build app/graphiql/dist app/graphiql/node_modules tests/*/node_modules tests/*/node_modules.lock benchmarks/race/servers/*/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

set-up:
	@./setup.sh run

set-up-dev:
	@./setup.sh dev
