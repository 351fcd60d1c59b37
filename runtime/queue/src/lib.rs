//! The life of a Margay task in Redis: keys, scripts, and one file per transition.
