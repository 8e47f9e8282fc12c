# The verbs. Each calls something readable in scripts/.

# The addresses of other servers, or of one's own, go through the environment: BACKSCROLL_POSTGRES_URL,
# BACKSCROLL_NATS_URL, BACKSCROLL_REDIS_URL, BACKSCROLL_ELASTICSEARCH_URL, BACKSCROLL_OBJECT_STORE_URL (see scripts/services.sh).
SHELL := /bin/bash
export SQLX_OFFLINE ?= true
export CARGO_INCREMENTAL ?= 0

WITH_SERVICES := scripts/with-services.sh
# What answers searches in `make run`: postgres, or elasticsearch.
SEARCH ?= $(or $(BACKSCROLL_SEARCH),postgres)

.DEFAULT_GOAL := help
.PHONY: help run test check bench chaos services stop docs sqlx

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: ## start the servers, build, and serve a workspace; EXPORT=slack.zip imports it first, SEARCH=elasticsearch searches with that
	@BACKSCROLL_SEARCH="$(SEARCH)" ALSO="$(filter elasticsearch,$(SEARCH))" $(WITH_SERVICES) scripts/run.sh $(if $(EXPORT),"$(EXPORT)")

test: ## run all tests; ARGS="…" goes to cargo test
	@ALSO="elasticsearch object_store" $(WITH_SERVICES) scripts/test.sh $(ARGS)

check: ## formatting, lints, documentation, licences of the dependencies
	@scripts/check.sh

bench: ## speed, as ratios to references of the same run; ROW=append runs the rows of that name, TRY=1 tries them shortly
	@TRY="$(TRY)" ALSO=elasticsearch $(WITH_SERVICES) scripts/bench.sh $(ROW)

chaos: ## break everything under load, and judge what comes of it; SEED=… repeats a run, ROUNDS=… is its length
	@SEED="$(SEED)" ROUNDS="$(ROUNDS)" FAULTS="$(FAULTS)" scripts/chaos.sh

services: ## start Postgres, NATS, Redis, Elasticsearch and an object store for this checkout, and leave them running
	@scripts/services.sh start postgres nats redis elasticsearch object_store

stop: ## stop them
	@scripts/services.sh stop

docs: ## write docs/openapi.json, docs/EVENTS.md and docs/SETTINGS.md anew
	@scripts/generate-docs.sh

sqlx: ## write .sqlx anew, after a change of SQL or of migrations
	@$(WITH_SERVICES) scripts/sqlx-prepare.sh
