# The verbs. Each calls a readable script in scripts/.

# To use your own servers, set their addresses in the environment: BACKSCROLL_POSTGRES_URL, BACKSCROLL_NATS_URL,
# BACKSCROLL_REDIS_URL, BACKSCROLL_ELASTICSEARCH_URL, BACKSCROLL_OBJECT_STORE_URL (see scripts/services.sh).
SHELL := /bin/bash
export SQLX_OFFLINE ?= true
export CARGO_INCREMENTAL ?= 0

WITH_SERVICES := scripts/with-services.sh
# The backend that answers searches in `make run`: postgres or elasticsearch.
SEARCH ?= $(or $(BACKSCROLL_SEARCH),postgres)

.DEFAULT_GOAL := help
.PHONY: help run test check bench chaos clients services stop docs sqlx

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: ## start the servers, build, and serve a workspace; EXPORT=slack.zip imports that export, SEARCH=elasticsearch searches with it
	@BACKSCROLL_SEARCH="$(SEARCH)" ALSO="$(filter elasticsearch,$(SEARCH))" $(WITH_SERVICES) scripts/run.sh $(if $(EXPORT),"$(EXPORT)")

test: ## run all tests; ARGS="…" are arguments of cargo test
	@ALSO="elasticsearch object_store" $(WITH_SERVICES) scripts/test.sh $(ARGS)

check: ## check the format, the lints, the documentation, and the licences of the dependencies
	@scripts/check.sh

bench: ## measure speed, as ratios to references of the same run; ROW=append runs these rows only, TRY=1 is a short trial
	@TRY="$(TRY)" ALSO=elasticsearch $(WITH_SERVICES) scripts/bench.sh $(ROW)

chaos: ## break servers under load, and judge the results; SEED=… repeats a run, ROUNDS=… is its length
	@SEED="$(SEED)" ROUNDS="$(ROUNDS)" FAULTS="$(FAULTS)" scripts/chaos.sh

clients: ## generate the clients for Go and Java from docs/openapi.json, and compile them (minutes; make test has Python and TypeScript)
	@scripts/clients-nightly.sh

services: ## start Postgres, NATS, Redis, Elasticsearch and an object store for this checkout, and keep them running
	@scripts/services.sh start postgres nats redis elasticsearch object_store

stop: ## stop the servers of this checkout
	@scripts/services.sh stop

docs: ## generate docs/openapi.json, docs/EVENTS.md and docs/SETTINGS.md
	@scripts/generate-docs.sh

sqlx: ## generate .sqlx, after a change of SQL or migrations
	@$(WITH_SERVICES) scripts/sqlx-prepare.sh
