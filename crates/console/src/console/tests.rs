//! Pages of sample data.
