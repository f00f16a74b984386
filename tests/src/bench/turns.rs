//! How a program takes turns with a peer: it is told when to work, so that the two never compute at one time.
//!
//! Once it has loaded and warmed up, the program prints a greeting; then it answers each line of its input with one
//! line. Every answer is a JSON object on a line of its own. `end`, or the end of the input, ends the turns; what the
//! program prints after that is its report.

use std::io::{BufRead, Write};

use anyhow::Result;
use serde_json::Value;

/// Greets, then answers the lines of standard input until the end.
pub fn serve(greeting: &Value, reply: impl FnMut(&str) -> Result<Value>) -> Result<()> {
    serve_over(std::io::stdin().lock(), std::io::stdout().lock(), greeting, reply)
}

fn serve_over(
    input: impl BufRead,
    mut output: impl Write,
    greeting: &Value,
    mut reply: impl FnMut(&str) -> Result<Value>,
) -> Result<()> {
    say(&mut output, greeting)?;
    for line in input.lines() {
        match line?.trim() {
            "" => {}
            "end" => break,
            word => say(&mut output, &reply(word)?)?,
        }
    }
    Ok(())
}

/// The peer waits for the line, so it must not lie in a buffer.
fn say(output: &mut impl Write, answer: &Value) -> Result<()> {
    writeln!(output, "{answer}")?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn talk(input: &str) -> (String, Result<()>) {
        let mut output = Vec::new();
        let mut turns = 0;
        let result = serve_over(input.as_bytes(), &mut output, &json!({"ready": true}), |word| {
            anyhow::ensure!(word == "go", "`{word}` is not known");
            turns += 1;
            Ok(json!({ "turn": turns }))
        });
        (String::from_utf8(output).unwrap(), result)
    }

    #[test]
    fn each_line_is_answered_by_one_line_until_the_end() {
        let (said, result) = talk("go\n\n  go \nend\ngo\n");
        assert_eq!(said, "{\"ready\":true}\n{\"turn\":1}\n{\"turn\":2}\n");
        result.unwrap();
    }

    #[test]
    fn the_end_of_the_input_ends_the_turns_and_a_strange_word_is_a_fault() {
        talk("go").1.unwrap();
        let (said, result) = talk("go\nstop\ngo\n");
        assert_eq!(said.lines().count(), 2);
        assert!(result.unwrap_err().to_string().contains("`stop`"));
    }
}
