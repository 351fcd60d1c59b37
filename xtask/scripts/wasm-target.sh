#!/bin/sh
# Makes `/usr/bin/cargo build --target wasm32-wasip2` work on Debian without rustup. Needs root.
#
# Debian ships a recent compiler (rustc-web) and the standard library's source, but not that library for
# wasm32-wasip2. This builds it once, in about a minute, and puts it where the compiler looks for it.
set -eu

target=wasm32-wasip2
packages="rustc-web cargo-web rust-web-src rust-web-llvm lld-22 wasi-libc"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

# Runs a command whose talk matters only when it fails.
quietly() {
    if ! "$@" >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        exit 1
    fi
}

# The packages: compiler, library source, linker (wasm-component-ld comes with rust-web-llvm), and a libc.
install_packages() {
    # shellcheck disable=SC2086 # a list of names
    if ! dpkg -s $packages >/dev/null 2>&1; then
        export DEBIAN_FRONTEND=noninteractive
        quietly apt-get update -q
        quietly apt-get install -qy --no-install-recommends $packages
    fi
}

# Builds the standard library, as a dependency of a crate that is empty.
build_library() {
    mkdir -p "$scratch/seed/src"
    cd "$scratch/seed"
    printf '[package]\nname = "seed"\nedition = "2024"\n' >Cargo.toml
    echo '#![no_std]' >src/lib.rs
    # -Zbuild-std asks for a nightly compiler, which RUSTC_BOOTSTRAP makes of this one. The source root is
    # named because cargo looks for it in rustup's place. Bitcode is for guests with `lto = true`, line
    # tables are for readable tracebacks.
    quietly env PATH=/usr/bin:/bin RUSTC_BOOTSTRAP=1 \
        __CARGO_TESTS_ONLY_SRC_ROOT="$rustlib/src/rust/library" \
        RUSTFLAGS='-C embed-bitcode=yes' \
        CARGO_PROFILE_RELEASE_PANIC=abort \
        CARGO_PROFILE_RELEASE_DEBUG=line-tables-only \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
        CARGO_TARGET_DIR="$scratch/out" \
        /usr/bin/cargo build --release --target "$target" \
        -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test
}

# Collects the library beside the libc it links with.
collect_library() {
    mkdir -p "$scratch/lib/self-contained"
    built=$scratch/out/$target/release/deps
    rm -f "$built"/libseed-*
    cp "$built"/lib*.rlib "$scratch/lib/"
    cp /usr/lib/wasm32-wasi/libc.a /usr/lib/wasm32-wasi/crt1-reactor.o "$scratch/lib/self-contained/"
    build_start_object
}

# Debian's start object for programs is older than components: with it every export runs the constructors,
# also the one that the host calls in the middle of a call, which traps. This one runs them once, at the
# start. Task modules are libraries and do not need it; a program with a `main` does.
build_start_object() {
    cat >"$scratch/start.rs" <<'RUST'
#![no_std]

unsafe extern "C" {
    fn __wasm_call_ctors();
    fn __main_void() -> i32;
    fn exit(code: i32) -> !;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _start() {
    unsafe {
        __wasm_call_ctors();
        let code = __main_void();
        if code != 0 {
            exit(code);
        }
    }
}
RUST
    quietly /usr/bin/rustc --target "$target" --edition 2024 --crate-type lib --emit obj \
        -C opt-level=2 -C panic=abort -L "$scratch/lib" \
        -o "$scratch/lib/self-contained/crt1-command.o" "$scratch/start.rs"
}

# Puts the library in place in one move, so that there is never half of one.
install_library() {
    place=$rustlib/$target
    mkdir -p "$place"
    rm -rf "$place/lib.new" "$place/lib"
    cp -r "$scratch/lib" "$place/lib.new"
    mv "$place/lib.new" "$place/lib"
}

install_packages
rustlib=$(/usr/bin/rustc --print sysroot)/lib/rustlib
build_library
collect_library
install_library
