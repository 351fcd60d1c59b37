//! Runs one component once, under limits and grants.
