# Needs make and Python 3.11 or newer; every target does its own set-up. `make help` tells them all.
.DEFAULT_GOAL := help
.PHONY: help run test check prove permissions schema graphiql lock clean set-up set-up-dev

# Passed on to what the target runs: make run ARGS="--port 9000", make test ARGS="-n 2 -k viewer".
ARGS ?=
COMPILE = uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

# Installers keep caches at home; a user without one gets one here.
ifneq ($(shell [ -n "$$HOME" ] && [ -w "$$HOME" ] && echo yes),yes)
export HOME := $(CURDIR)/build/home
endif

help: ## tell what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1#\2/p' Makefile | while IFS='#' read -r name what; do \
		printf '%-18s%s\n' "$$name" "$$what"; done

run: set-up ## serve the demo on http://127.0.0.1:8000, GraphiQL at /graphql
	@.venv/bin/python -m app.graphiql.build || echo 'GraphiQL is not built, so /graphql shows no editor; the API answers all the same.'
	@exec .venv/bin/atoll serve --demo $(ARGS)

test: set-up-dev ## run every test, on SQLite and PostgreSQL
	@.venv/bin/python -m app.graphiql.build || echo 'GraphiQL is not built: its tests will say so.'
	@.venv/bin/python -m pytest -n auto $(ARGS)

check: set-up-dev ## look for what no test sees: format, lint, types, layers, an outdated schema.graphql
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/atoll schema --check schema.graphql

prove: set-up-dev ## try for an hour and a half to break what is promised, and write the record, docs/proofs.md
	@.venv/bin/python -m proofs $(ARGS)

permissions: set-up-dev ## write docs/permissions.md anew
	@mkdir -p build
	.venv/bin/python -m proofs.permission_matrix >build/permissions.md
	mv build/permissions.md docs/permissions.md

schema: set-up ## write schema.graphql anew
	@mkdir -p build
	.venv/bin/atoll schema >build/schema.graphql
	mv build/schema.graphql schema.graphql

graphiql: set-up ## build GraphiQL, the editor at /graphql
	.venv/bin/python -m app.graphiql.build

lock: ## settle the versions of all dependencies anew; needs uv, and ARGS=--upgrade to raise them
	@command -v uv >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(COMPILE) - -o requirements-build.lock

clean: ## remove all that the other targets made, but no database
	rm -rf .venv build atoll.egg-info app/graphiql/dist app/graphiql/node_modules tests/*/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

set-up:
	@./setup.sh run

set-up-dev:
	@./setup.sh dev
