# A convenience: each recipe is a line that works without `just`.

# What is here
default:
    @just --list

# Everything a pull request is judged by
check:
    ./scripts/test

# Formatting and tests only
test:
    ./scripts/test --quick

# Also the tests that take minutes
test-long:
    ./scripts/test --long

# Kill it at every step, and see what all sides wrote down
chaos *ARGS:
    ./scripts/chaos {{ARGS}}

fmt:
    cargo fmt --all

# The gateway with the laptop's settings
run *ARGS:
    cargo run --locked -- serve --config config/development.toml {{ARGS}}

image TAG="handover-gateway:dev":
    docker build --tag {{TAG}} .

smoke TAG="handover-gateway:dev":
    ./scripts/smoke-image {{TAG}}
