# GNU make and pkg-config; no configure step. Every variable below may be set by a packager:
#   make CFLAGS="$(dpkg-buildflags --get CFLAGS)" && make install DESTDIR=stage PREFIX=/usr
# Targets: all test check bench fuzz soak install tidy format clean; see CONTRIBUTING.md.
PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
DOCDIR      ?= $(PREFIX)/share/doc/tarn
MANDIR      ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL     ?= install
VERSION     := 0.1.0
SOVERSION   := 0
CC          ?= cc
PKG_CONFIG  ?= pkg-config
CFLAGS      ?= -O2 -g
BUILD       ?= build
PYTHON      ?= python3

# What the code needs stays out of CFLAGS, so that a packager's CFLAGS replaces none of it.
override WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
                 -Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings -Wundef
override NEED := -std=gnu17 -D_GNU_SOURCE -Isrc -Iinclude -pthread -fvisibility=hidden \
                 -ffp-contract=off -fPIC -MMD -MP -DTARN_VERSION='"$(VERSION)"'
ifneq ($(WERROR),)
override WARN += -Werror
endif

comma := ,

# make SAN=address,undefined test   make SAN=thread test
ifneq ($(SAN),)
override NEED    += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
override LDFLAGS += -fsanitize=$(SAN)
BUILD := $(BUILD)/$(subst $(comma),-,$(SAN))
endif

PKGS     := libmicrohttpd gnutls openssl libcurl libnats sqlite3 libzstd zlib libxxhash
PKG_CF   := $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS)) -lm

LIB_SRC   := $(filter-out src/app/%,$(wildcard src/*/*.c))
APP_SRC   := $(wildcard src/app/*.c)
LIB_OBJ   := $(LIB_SRC:%.c=$(BUILD)/%.o)
APP_OBJ   := $(APP_SRC:%.c=$(BUILD)/%.o)
# The page: our files and the plot library of the distribution (Debian: libjs-dygraphs, MIT).
DYGRAPHS  ?= /usr/share/javascript/dygraphs/dygraph.min.js
WEB       := $(wildcard web/*)
APP_OBJ   += $(BUILD)/src/app/page_files.o
MAIN_OBJ  := $(BUILD)/src/app/main.o
APP_LIB   := $(BUILD)/libtarn-app.a
HEADERS   := $(wildcard src/*/*.h include/tarn/*.h)

# tests/support: seams and helpers shared by test programs. Each tests/{unit,fault}/test_*.c is a
# program that `make test` runs; each tests/bench/bench_*.c one that `make bench` runs.
SUP_SRC   := $(wildcard tests/support/*.c)
SUP_OBJ   := $(SUP_SRC:%.c=$(BUILD)/%.o)
TEST_SRC  := $(wildcard tests/unit/test_*.c tests/fault/test_*.c)
# Many runs of one thread each: nothing for a race detector, and minutes under it.
ONE_THREAD := tests/fault/test_archive_fault.c tests/fault/test_checkpoint_damage.c \
    tests/fault/test_job_answer.c tests/fault/test_job_ways_fault.c tests/unit/test_job_parquet.c \
    tests/unit/test_job_retention.c tests/unit/test_job_schema.c tests/unit/test_node_retention.c \
    tests/unit/test_number.c tests/unit/test_parquet_file.c
ifeq ($(SAN),thread)
TEST_SRC  := $(filter-out $(ONE_THREAD),$(TEST_SRC))
endif
TESTS     := $(TEST_SRC:%.c=$(BUILD)/%)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
BENCHES   := $(BENCH_SRC:%.c=$(BUILD)/%)
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
ALL_SRC   := $(LIB_SRC) $(APP_SRC) $(SUP_SRC) $(TEST_SRC) $(BENCH_SRC) $(FUZZ_SRC) $(wildcard examples/*.c tests/e2e/*.c)

.DEFAULT_GOAL := all
.PHONY: all config tests test check bench fuzz soak mutants install deb rpm clean format check-layers check-headers \
        check-format tidy compile_commands.json

all: $(BUILD)/libtarn.a $(BUILD)/libtarn.so $(if $(wildcard src/app/main.c),$(BUILD)/tarn)

config:
	@echo "CC=$(CC) CFLAGS=$(CFLAGS) BUILD=$(BUILD)"; \
	for p in $(PKGS); do printf '%-16s %s\n' $$p "$$($(PKG_CONFIG) --modversion $$p 2>/dev/null || echo missing)"; done

$(BUILD)/libtarn.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# What the public functions need and nothing else: no HTTP, no NATS. Changing SOVERSION is a
# decision for the CHANGELOG.
API_OBJ := $(filter $(BUILD)/src/api/%,$(LIB_OBJ))
$(BUILD)/libtarn.so: $(API_OBJ) $(BUILD)/libtarn.a src/api/libtarn.map
	$(CC) -shared -pthread $(CFLAGS) $(LDFLAGS) -Wl,-soname,libtarn.so.$(SOVERSION) \
	    -Wl,--version-script=src/api/libtarn.map -Wl,--as-needed -o $@ $(API_OBJ) \
	    $(BUILD)/libtarn.a $(PKG_LIBS) $(LDLIBS)

$(DYGRAPHS):
	@echo "$@ is missing: install libjs-dygraphs (tools/needs build), or make DYGRAPHS=PATH" >&2; exit 1

$(BUILD)/page_files.c: $(WEB) $(DYGRAPHS) tools/embed
	@mkdir -p $(@D)
	tools/embed $(WEB) $(DYGRAPHS) >$@.new && mv $@.new $@

$(BUILD)/src/app/page_files.o: $(BUILD)/page_files.c
	@mkdir -p $(@D)
	$(CC) $(NEED) $(WARN) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# All of src/app but main.c, so that its parts can be tested.
$(APP_LIB): $(filter-out $(MAIN_OBJ),$(APP_OBJ))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/tarn: $(MAIN_OBJ) $(APP_LIB) $(BUILD)/libtarn.a
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(NEED) $(WARN) $(PKG_CF) -Itests/support $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/unit/test_app_%: $(BUILD)/tests/unit/test_app_%.o $(SUP_OBJ) $(APP_LIB) $(BUILD)/libtarn.a
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka) $(PKG_LIBS) $(LDLIBS)

$(BUILD)/tests/bench/bench_app_%: $(BUILD)/tests/bench/bench_app_%.o $(SUP_OBJ) $(APP_LIB) $(BUILD)/libtarn.a
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka) $(PKG_LIBS) $(LDLIBS)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUP_OBJ) $(BUILD)/libtarn.a
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs cmocka) $(PKG_LIBS) $(LDLIBS)

tests: $(TESTS)

test: $(TESTS) all
	@BUILD=$(BUILD) tools/run-tests $(TESTS)

check: check-format check-layers check-headers test

bench: $(BENCHES) all
	@BUILD=$(BUILD) tools/run-bench $(filter-out %/bench_app_write,$(BENCHES))
	@$(PYTHON) tests/bench/archive_peers.py $(BUILD)
	@tests/bench/serve.sh $(BUILD)/tarn $(BUILD)/tests/bench/bench_app_write
	@$(PYTHON) tests/bench/page.py $(BUILD)/tarn
	@$(PYTHON) tests/bench/stop_job.py $(BUILD)/tarn

# The same programs that `make test` runs with small counts, with the full ones; each prints one line.
soak: $(BUILD)/tests/fault/test_vault_powercut $(BUILD)/tests/fault/test_vault_io \
      $(BUILD)/tests/fault/test_vault_memory $(BUILD)/tests/fault/test_archiver_memory \
      $(BUILD)/tests/unit/test_node_retention $(BUILD)/tests/unit/test_job_retention $(BUILD)/tests/unit/test_repository_rebuild \
      $(BUILD)/tests/fault/test_checkpoint_damage $(BUILD)/tests/unit/test_vault \
      $(BUILD)/tests/unit/test_log_damage $(BUILD)/tests/unit/test_ref_wal $(BUILD)/tests/unit/test_job_parquet \
      $(BUILD)/tests/fault/test_job_ways_fault all
	$(BUILD)/tests/fault/test_checkpoint_damage 1
	$(BUILD)/tests/unit/test_vault
	$(BUILD)/tests/unit/test_log_damage
	$(BUILD)/tests/unit/test_ref_wal
	$(BUILD)/tests/fault/test_vault_powercut 20000
	$(BUILD)/tests/fault/test_vault_io 1
	$(BUILD)/tests/fault/test_vault_memory 1
	$(BUILD)/tests/fault/test_archiver_memory 1440
	TARN_ALL_FAULTS=1 $(BUILD)/tests/unit/test_node_retention
	TARN_ALL_FAULTS=1 $(BUILD)/tests/unit/test_job_retention
	TARN_ALL_FAULTS=1 $(BUILD)/tests/unit/test_job_parquet
	TARN_ALL_FAULTS=1 $(BUILD)/tests/unit/test_repository_rebuild
	TARN_ALL_FAULTS=1 $(BUILD)/tests/fault/test_job_ways_fault
	TARN_RETENTION_KILLS=100 TARN_ARCHIVE_JOBS=500 TARN_ARCHIVE_KILLS=500 TARN_KILLS=1000 TARN_ACKS=10000 \
	    TARN_SYSKILL_DEPTH=11 TARN_STOPS=50 \
	    $(PYTHON) -m pytest -q -s -p no:cacheprovider \
	    tests/e2e/test_kill.py tests/e2e/test_ack_audit.py tests/e2e/test_syscall_kill.py \
	    tests/e2e/test_archiver.py tests/e2e/test_retention_task.py \
	    tests/e2e/test_clean_stop.py tests/e2e/test_open_files.py
	TARN_TROUBLES=200 $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_archive_troubles.py
	if gateway=$$(tools/versitygw $(BUILD)); then \
	    TARN_VERSITYGW=$$gateway $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_archive_s3.py \
	    tests/e2e/test_job_archive_s3.py tests/e2e/test_archive_troubles.py; \
	else echo "a second S3 server: not run"; fi
	TARN_ARCHIVE_SERIES=600 $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_archive.py -k memory
	TARN_TEST_MUTATIONS=0 $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_job_schemas.py
	TARN_LIST_JOBS=100000 $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_job_lists.py
	TARN_CLEAN_ROOT=1 $(PYTHON) -m pytest -q -p no:cacheprovider tests/packages
	@$(MAKE) -s mutants

# Planted defects, each of which must make its test fail.
mutants:
	$(PYTHON) tests/mutants.py

# Fuzz targets need clang; FUZZ_RUNS executions of each (0 = build and replay the corpus only).
FUZZ_RUNS ?= 100000
fuzz:
	@FUZZ_RUNS=$(FUZZ_RUNS) BUILD=$(BUILD) tools/run-fuzz $(FUZZ_SRC)

check-layers:
	@tools/check-layers src/LAYERS $$(find src -name '*.[ch]')

# Each header must compile alone: then include order can never matter.
check-headers:
	@for h in $(HEADERS); do \
	    printf '#include "%s"\n' "$$h" | $(CC) -std=gnu17 -D_GNU_SOURCE -I. -Isrc -Iinclude $(PKG_CF) -Wall -Werror \
	        -fsyntax-only -xc - || exit 1; done

check-format:
	clang-format --dry-run -Werror $(ALL_SRC) $(HEADERS) $(wildcard tests/*/*.h)

format:
	clang-format -i $(ALL_SRC) $(HEADERS) $(wildcard tests/*/*.h)

tidy:
	clang-tidy --quiet $(LIB_SRC) $(APP_SRC) -- -std=gnu17 -D_GNU_SOURCE -Isrc -Iinclude $(PKG_CF)

# For editors and clang tools; no extra program needed.
compile_commands.json:
	@{ echo '['; sep=; for f in $(ALL_SRC); do \
	    printf '%s{"directory":"%s","file":"%s","command":"%s"}\n' "$$sep" "$(CURDIR)" "$$f" \
	      "$(CC) -std=gnu17 -D_GNU_SOURCE -Isrc -Iinclude -Itests/support $(PKG_CF) -c $$f"; sep=,; \
	  done; echo ']'; } > $@

# Staged (DESTDIR) and relocatable (PREFIX, LIBDIR): what distributions and Spack drive.
install: all
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(INCLUDEDIR)/tarn" \
	    "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(MANDIR)/man5" \
	    "$(DESTDIR)$(BASHCOMPDIR)" "$(DESTDIR)$(ZSHCOMPDIR)" "$(DESTDIR)$(FISHCOMPDIR)"
	$(INSTALL) -m 755 $(BUILD)/tarn "$(DESTDIR)$(BINDIR)/tarn"
	$(INSTALL) -m 644 $(BUILD)/libtarn.a "$(DESTDIR)$(LIBDIR)/libtarn.a"
	$(INSTALL) -m 755 $(BUILD)/libtarn.so "$(DESTDIR)$(LIBDIR)/libtarn.so.$(VERSION)"
	ln -sf libtarn.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libtarn.so.$(SOVERSION)"
	ln -sf libtarn.so.$(SOVERSION) "$(DESTDIR)$(LIBDIR)/libtarn.so"
	$(INSTALL) -m 644 include/tarn/*.h "$(DESTDIR)$(INCLUDEDIR)/tarn"
	$(INSTALL) -m 644 doc/*.md README.md CHANGELOG.md LICENSE packaging/prometheus/tarn.rules.yml "$(DESTDIR)$(DOCDIR)"
	$(INSTALL) -m 644 man/*.1 "$(DESTDIR)$(MANDIR)/man1"
	$(INSTALL) -m 644 man/*.5 "$(DESTDIR)$(MANDIR)/man5"
	$(BUILD)/tarn completion bash > "$(DESTDIR)$(BASHCOMPDIR)/tarn"
	$(BUILD)/tarn completion zsh > "$(DESTDIR)$(ZSHCOMPDIR)/_tarn"
	$(BUILD)/tarn completion fish > "$(DESTDIR)$(FISHCOMPDIR)/tarn.fish"
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' 'Name: tarn' \
	    'Description: in-memory store for the metrics of HPC clusters' 'Version: $(VERSION)' \
	    'Libs: -L$${libdir} -ltarn' 'Libs.private: -lxxhash -lzstd -lz -lm -pthread' \
	    'Cflags: -I$${includedir}' > "$(DESTDIR)$(LIBDIR)/pkgconfig/tarn.pc"

# Packages: what they need is in tools/needs (packages).
deb:
	@VERSION=$(VERSION) BUILD=$(BUILD) tools/make-deb

rpm:
	@VERSION=$(VERSION) BUILD=$(BUILD) DYGRAPHS=$(DYGRAPHS) tools/make-rpm

clean:
	rm -rf $(BUILD) compile_commands.json

-include $(LIB_OBJ:.o=.d) $(APP_OBJ:.o=.d) $(SUP_OBJ:.o=.d) $(TESTS:=.d) $(BENCHES:=.d)
# Keep objects of test programs: they are what makes the next build short.
.SECONDARY:
