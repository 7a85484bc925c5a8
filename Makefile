# Thin: what is done stands in .ci/ and CMakePresets.json. PRESET=asan make test, and so on.
PRESET ?= debug
PREFIX ?= /usr/local

.PHONY: demo dev test bench bench-quick soak fmt lint install release packages

demo: release
	build/release/sagad dev --temporary --run "sagactl demo"

dev: release
	build/release/sagad dev

test: packages
	.ci/test $(PRESET)

bench: release
	SAGA_BUILD=build/release bench/bench.py

bench-quick: release
	SAGA_BUILD=build/release bench/bench.py --quick

soak: release # MINUTES=2 make soak
	SAGA_BUILD=build/release bench/soak.py --minutes $${MINUTES:-20}

fmt:
	git ls-files '*.c' '*.h' | xargs $$(command -v clang-format-14 || echo clang-format) -i

lint: packages
	.ci/build debug
	.ci/lint

install: release
	cmake --install build/release --prefix $(PREFIX)

release: packages
	.ci/build release

packages:
	@.ci/install
