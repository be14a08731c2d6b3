# Two commands matter: `make run` starts madang, `make test` runs every test.
# Both install what they need first (apt on Debian and Ubuntu; elsewhere they say what is missing).

.DEFAULT_GOAL := help
.PHONY: help run build test test-full e2e lint fmt bench soak fuzz sanitize clean

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: ## build and start the server; LAN=1 opens it to the network, ARGS='…' are passed on
	@LAN="$(LAN)" scripts/run.sh $(ARGS)

build: ## the release binary, target/release/madang
	@scripts/build.sh

test: ## every test; installs browsers and clients first
	@scripts/test.sh

test-full: ## the same with the whole ICE matrix, and half a minute of fuzzing each target
	@NATLAB_FULL=1 scripts/test.sh

e2e: ## the browser tests alone; ONLY='mesh relay' picks files, TEST='…' tests by name
	@scripts/e2e.sh $(ONLY)

lint: ## formatting, clippy, types, licences
	@scripts/lint.sh

fmt: ## format Rust, JavaScript and CSS
	@scripts/fmt.sh

bench: ## the figures of docs/performance.md, measured here
	@scripts/bench.sh $(ONLY)

soak: ## people come and go for ten minutes, then memory and open files are flat; MINUTES=60, SEED=7
	@scripts/soak.sh

fuzz: ## every fuzz target for a minute each; SECONDS_EACH=600 for longer
	@scripts/fuzz.sh

sanitize: ## the codecs' tests, garbage above all, under AddressSanitizer
	@scripts/sanitize.sh

clean: ## everything that was built or fetched into this tree
	@scripts/clean.sh
