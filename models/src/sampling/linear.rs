//! Small systems of linear equations: the weights of multistep solvers.

/// Solves `matrix` · w = `wanted`; the rows are independent, as those of powers of different times are.
pub(super) fn solve(mut matrix: Vec<Vec<f64>>, mut wanted: Vec<f64>) -> Vec<f64> {
    let n = wanted.len();
    for column in 0..n {
        let largest = |a: &usize, b: &usize| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs());
        let pivot = (column..n).max_by(largest).unwrap_or(column);
        matrix.swap(column, pivot);
        wanted.swap(column, pivot);
        for row in column + 1..n {
            let factor = matrix[row][column] / matrix[column][column];
            let (above, below) = matrix.split_at_mut(row);
            for (value, pivot) in below[0].iter_mut().zip(&above[column]).skip(column) {
                *value -= factor * pivot;
            }
            wanted[row] -= factor * wanted[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|column| matrix[row][column] * wanted[column]).sum();
        wanted[row] = (wanted[row] - known) / matrix[row][row];
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_needs_its_rows_swapped_is_solved() {
        let matrix = vec![vec![0.0, 2.0, 1.0], vec![1.0, 1.0, 1.0], vec![2.0, 0.0, -1.0]];
        let got = solve(matrix, vec![7.0, 6.0, -1.0]);
        assert!(got.iter().zip([1.0, 2.0, 3.0]).all(|(got, wanted)| (got - wanted).abs() < 1e-12), "{got:?}");
    }
}
