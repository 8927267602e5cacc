# daystream - see README.md; `make help` lists the targets.
VERSION  := 0.1.0
PREFIX   ?= /usr/local
BUILD    ?= build
CC       ?= cc
PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/15/bin/pg_config) pg_config)
PKGS     := fuse3 libpq sqlite3 libconfuse json-c ncursesw libnfs
CFLAGS   ?= -O2 -g
SAN      ?=

WARN     := -Wall -Wextra -Wconversion -Werror -Wno-format-truncation -Wno-unknown-warning-option
CPPFLAGS += -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Icommon $(shell pkg-config --cflags $(PKGS))
ALL_CFLAGS = -std=c11 $(WARN) $(CFLAGS) $(SAN) $(CPPFLAGS) -MMD -MP -pthread
LDFLAGS  += -Wl,--as-needed
LDLIBS   := $(shell pkg-config --libs $(PKGS)) -lisal -lm -pthread

# libc loads it to end a thread, and aborts where no descriptor is left for that: so it is there before.
UNWIND   := -Wl,--push-state,--no-as-needed -lgcc_s -Wl,--pop-state

MAINS    := fs/daystreamfs.c fs/daystream.c mirror/deltamirror.c
PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(notdir $(MAINS)))
LIB_SRC  := $(filter-out $(MAINS),$(wildcard common/*.c fs/*.c mirror/*.c))
lib_objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter $(addsuffix /%,$(1)),$(LIB_SRC)))

# `make V=1` shows the commands.
MAKEFLAGS += --no-print-directory
Q := $(if $(V),,@)
say = @echo '  $(1) $(patsubst $(CURDIR)/%,%,$@)'

all: $(PROGRAMS) $(BUILD)/deltaflood.so

# The mirror never sees fs/: what it needs comes through the mount.
$(BUILD)/daystreamfs $(BUILD)/daystream: $(BUILD)/%: $(BUILD)/obj/fs/%.o $(call lib_objects,common fs)
	$(call say,LINK)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(UNWIND)
$(BUILD)/deltamirror: $(BUILD)/obj/mirror/deltamirror.o $(call lib_objects,common mirror)
	$(call say,LINK)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# PGXS builds in the current folder; VPATH keeps the sources clean.
PLUGIN_SRC := $(wildcard plugin/*.[ch] plugin/Makefile common/line.[ch] common/name.[ch] common/position.[ch])
$(BUILD)/deltaflood.so: $(PLUGIN_SRC)
	@mkdir -p $(BUILD)/plugin
	$(call say,PGXS)
	$(Q)$(MAKE) $(if $(V),,-s) -C $(BUILD)/plugin -f $(CURDIR)/plugin/Makefile PG_CONFIG=$(PG_CONFIG) $(if $(COPT),CFLAGS='$(CFLAGS) $(COPT)') all
	$(Q)install -m 755 $(BUILD)/plugin/deltaflood.so $@

deps:
	contrib/install-deps

demo: deps
	$(MAKE) all
	contrib/demo

# All tests: ends with one line "N passed, N failed".
check: deps
	$(MAKE) all unit-tests fuzz-replay
	tests/run $(TESTS)

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
# What records the changes of files, and what judges the states that a loss of power leaves of them.
CRASH := $(BUILD)/tests/record.so $(patsubst tests/crash/%.c,$(BUILD)/tests/%,$(wildcard tests/crash/judge_*.c))
STATES := $(addprefix tests/crash/,states.c lose.c disk.c)
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
unit-tests: $(UNIT) crash
crash: $(CRASH)
# The mirror and the store know nothing of each other, in tests neither.
$(BUILD)/tests/test_mirror_power: $(STATES) | $(BUILD)/tests/record.so
$(BUILD)/tests/test_mirror_%: tests/unit/test_mirror_%.c $(call lib_objects,common mirror)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Imirror -Itests $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS) -lcmocka
$(BUILD)/tests/test_crash: $(STATES) | $(BUILD)/tests/record.so
$(BUILD)/tests/test_states: $(STATES)
$(BUILD)/tests/test_%: tests/unit/test_%.c $(call lib_objects,common fs)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Ifs -Itests $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS) -lcmocka

# Without a sanitizer: it stands before that one's own library.
$(BUILD)/tests/record.so: $(addprefix tests/crash/,record.c record_calls.c record.h trace.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=c11 $(WARN) -O2 -g -D_GNU_SOURCE -shared -fPIC -o $@ $(filter %.c,$^) -pthread
$(BUILD)/tests/judge_store: tests/crash/judge_store.c tests/crash/truth.c $(STATES) $(call lib_objects,common fs)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Ifs -Itests $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS)
$(BUILD)/tests/judge_mirror: tests/crash/judge_mirror.c tests/crash/marks.c $(STATES) $(call lib_objects,common mirror)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Imirror -Itests $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS)

# Each fuzzer runs its corpus once: as a test under any compiler, and for real under clang's libFuzzer.
fuzz-replay: $(addprefix $(BUILD)/tests/,$(FUZZ))
$(BUILD)/tests/fuzz_mirror_%: tests/fuzz/fuzz_mirror_%.c tests/fuzz/replay.c $(call lib_objects,common mirror)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Imirror -Itests $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS)
$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(call lib_objects,common fs)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Ifs $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS)

FUZZ_SECONDS ?= 60
ROUND_SECONDS ?= 60
fuzz:
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang CFLAGS='-O1 -g' SAN='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all' fuzz-run
fuzz-run: $(call lib_objects,common fs mirror)
	@for f in $(FUZZ); do \
		case $$f in fuzz_mirror_*) side=mirror;; *) side=fs;; esac; \
		$(CC) $(ALL_CFLAGS) -I$$side -Itests -fsanitize=fuzzer -o $(BUILD)/$$f tests/fuzz/$$f.c \
			$(call lib_objects,common) $(BUILD)/obj/$$side/*.o $(LDLIBS) && \
		mkdir -p $(BUILD)/corpus/$$f && \
		$(BUILD)/$$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/ $(BUILD)/corpus/$$f tests/fuzz/corpus/$$f || exit 1; \
	done

# The whole of `check` with the programs built under a sanitizer. Some tests put a library before that of the sanitizer.
# There gcc moves a pointer's subtraction behind the free, then warns of it. The plugin, whose server has
# no sanitizer, looks for what is undefined, and ends the server by SIGILL.
asan:
	TEST_TIMEOUT=$${TEST_TIMEOUT:-3000} ASAN_OPTIONS=verify_asan_link_order=0 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
	$(MAKE) check BUILD=$(BUILD)/asan CFLAGS='-O1 -g -Wno-use-after-free -fno-omit-frame-pointer' SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' \
		COPT='-fsanitize=undefined -fsanitize-undefined-trap-on-error'
tsan:
	TEST_TIMEOUT=$${TEST_TIMEOUT:-3000} TSAN_OPTIONS=halt_on_error=1 $(MAKE) check BUILD=$(BUILD)/tsan CFLAGS='-O1 -g -Wno-use-after-free' SAN=-fsanitize=thread

# The random test for an hour, in rounds, each of which ends with every mirror compared. SEED=n repeats the choices.
soak: SECONDS ?= 3600
soak: deps
	$(MAKE) all
	RANDOM_SECONDS=$(SECONDS) ROUND_SECONDS=$(ROUND_SECONDS) bash tests/flow/95-random.sh

# Values of nearly 1 GB, which takes 8 GB of memory and some minutes.
giant: deps
	$(MAKE) all
	GIANT_MB=900 TEST_TIMEOUT=1200 tests/run tests/flow/giant.sh
	GIANT_MB=1020 TEST_TIMEOUT=1200 tests/run tests/flow/giant.sh

# PostgreSQL's own regression tests as a source of changes: POSTGRES_SRC=FOLDER has its sources.
regress: deps
	$(MAKE) all
	TEST_TIMEOUT=1200 tests/run tests/flow/regress.sh

# Each seeded bug (tests/mutants) is built, and must be caught.
mutants: deps
	$(MAKE) all unit-tests
	tests/mutants/run $(MUTANTS)

# Everything that is timed, next to its peers and limits: SCALE=small shows in minutes that it works, ROWS=name only that.
SCALE ?= full
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
bench: deps
	contrib/install-deps bench
	$(MAKE) all bench-tools
	SCALE=$(SCALE) tests/bench/run $(ROWS)
bench-tools: $(BENCH)
$(BUILD)/bench/%: tests/bench/%.c $(call lib_objects,common fs)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Ifs $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS)

lint:
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --suppress=unknownMacro -Icommon -Ifs -Imirror common fs mirror
	shellcheck contrib/install-deps contrib/demo contrib/private-cluster.sh contrib/daystream-sshfs contrib/daystream-metrics tests/run tests/mutants/run tests/flow/*.sh
	shellcheck tests/bench/run tests/bench/row tests/bench/*.sh
fmt:
	clang-format -i common/*.[ch] fs/*.[ch] mirror/*.[ch] tests/unit/*.[ch] tests/crash/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch]

BIN   = $(DESTDIR)$(PREFIX)/bin
MAN   = $(DESTDIR)$(PREFIX)/share/man
DOC   = $(DESTDIR)$(PREFIX)/share/doc/daystream
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
plugin = $(MAKE) -C $(BUILD)/plugin -f $(CURDIR)/plugin/Makefile PG_CONFIG=$(PG_CONFIG) DESTDIR=$(DESTDIR)

# Where the database is: all of it. A host that only follows needs no plugin, and nothing of PostgreSQL's but libpq.
install: install-follower $(BUILD)/deltaflood.so
	$(plugin) install
install-follower: $(PROGRAMS)
	install -d $(BIN) $(MAN)/man1 $(MAN)/man8 $(UNITS)
	install $(PROGRAMS) contrib/daystream-sshfs contrib/daystream-metrics $(BIN)
	install -m 644 docs/man/*.1 $(MAN)/man1
	install -m 644 docs/man/*.8 $(MAN)/man8
	for file in README.md LICENSE docs/*.md contrib/daystream.py contrib/prometheus/daystream.rules.yml contrib/grafana/daystream.json contrib/nfs/ganesha.conf; do \
		install -D -m 644 $$file $(DOC)/$$file || exit 1; \
	done
	for unit in contrib/systemd/*; do \
		sed 's|/usr/local/bin/|$(PREFIX)/bin/|' $$unit >$(UNITS)/$${unit##*/} || exit 1; \
	done
ifeq ($(DESTDIR),)
	@# Who follows the stream where root starts daystreamfs, and the mirror's user.
	@[ "$$(id -u)" -ne 0 ] || getent passwd daystream >/dev/null || \
		useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin daystream
endif

# What `install` put there; stores, mirrors and the user `daystream` stay.
uninstall:
	@mkdir -p $(BUILD)/plugin
	rm -f $(addprefix $(BIN)/,$(notdir $(PROGRAMS)) daystream-sshfs daystream-metrics)
	rm -f $(addprefix $(MAN)/man1/,$(notdir $(wildcard docs/man/*.1))) $(addprefix $(MAN)/man8/,$(notdir $(wildcard docs/man/*.8)))
	rm -f $(addprefix $(UNITS)/,$(notdir $(wildcard contrib/systemd/*)))
	rm -rf $(DOC)
	$(plugin) uninstall

clean:
	rm -rf $(BUILD)

help:
	@echo 'all      build/deltaflood.so, daystream, daystreamfs, deltamirror'
	@echo 'demo     installs what is missing, and shows all of it on a private PostgreSQL'
	@echo 'check    installs what is missing, and runs every test (TESTS=tests/flow/10-talk.sh: only that)'
	@echo 'asan     check, built with address and undefined-behaviour sanitizers; tsan: with the thread sanitizer'
	@echo 'fuzz     libFuzzer on each fuzzer (FUZZ_SECONDS=60); lint, fmt: cppcheck, shellcheck, clang-format'
	@echo 'soak     the random test for SECONDS=3600, in rounds of ROUND_SECONDS=60; SEED=n repeats the choices of one'
	@echo 'giant    values of nearly 1 GB through all of it; takes 8 GB of memory'
	@echo 'regress  the sources of PostgreSQL (POSTGRES_SRC=) bring their tests as traffic'
	@echo 'mutants  seeded bugs, each of which a test must catch (MUTANTS=name: only that)'
	@echo 'bench    everything that is timed, next to its peers (SCALE=small: in minutes; ROWS=name: only that)'
	@echo 'install  programs, man pages and systemd units to PREFIX (/usr/local), the plugin to the server (DESTDIR, PG_CONFIG)'
	@echo 'install-follower  the same without the plugin, for a host that only follows; uninstall: removes what either put there'
	@echo 'clean    removes BUILD (build); V=1 shows the commands'

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/tests/*.d $(BUILD)/bench/*.d)
.PHONY: all deps demo check unit-tests crash fuzz-replay fuzz fuzz-run soak giant regress asan tsan mutants bench bench-tools lint fmt install install-follower uninstall clean help
# Objects that only a pattern rule names are kept. (.SECONDARY of all would take a header that has gone for up to date.)
.PRECIOUS: $(BUILD)/obj/%.o
