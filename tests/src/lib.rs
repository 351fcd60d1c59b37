//! Whole-system tests of Margay: real Redis, real processes.
