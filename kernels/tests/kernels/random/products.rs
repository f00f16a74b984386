//! [`linear`] on random rows and weights.

use darkroom_kernels::linear;
use proptest::prelude::*;

use super::sums::way;
use super::{cases, size};

proptest! {
    #![proptest_config(cases(250))]
    #[test]
    fn products_of_any_shape_are_near(way in way(3, (40, 900)), pictures in 1_usize..=3, places in size(45, 220)) {
        let rows = pictures * places;
        let numbers = way.draw((rows, 1, pictures, rows));
        let reads: Vec<_> = (0..rows).map(|row| vec![Some(row)]).collect();
        let sums = way.sums(&way.sides(&numbers, places, 1), &reads, 0.0);
        let want = way.finish(&numbers, &sums, places);
        way.try_all(&numbers, places, &want, |cpu, source, pack, weight, finish, target| {
            linear(cpu, source, &pack(weight, 1), finish, target);
        })?;
    }
}
