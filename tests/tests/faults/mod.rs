//! Faults and bad inputs, one test a row of the list; each name carries its row.

mod models;
