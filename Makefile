# Thin door to meson and ninja; see README.md.
BUILD ?= build/plain
all:
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD)
	ninja -C $(BUILD)
.PHONY: all
