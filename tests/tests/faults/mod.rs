//! Bad inputs and bad days: each row of the list of faults is a test that carries its number.

mod graphs;
mod disk;
//! Faults and bad inputs, one test a row of the list; each name carries its row.

mod models;
