//! The time in a long queue id of Postfix: seconds and microseconds, to the base 52 (postconf(5), `enable_long_queue_ids`).

use anyhow::{Context, ensure};

const DIGITS: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
const SECONDS: usize = 6;
const MICROSECONDS: usize = 4;

/// When Postfix opened the file of this mail, which is before it accepted it. Milliseconds since 1970.
pub fn time(id: &str) -> anyhow::Result<i64> {
    let number = |part: Option<&str>| {
        let mut number = 0_i64;
        for byte in part.context("too short")?.bytes() {
            let digit = DIGITS.iter().position(|known| *known == byte).context("not a digit of Postfix")?;
            number = number * DIGITS.len() as i64 + digit as i64;
        }
        anyhow::Ok(number)
    };
    let seconds = number(id.get(..SECONDS)).with_context(|| id.to_owned())?;
    let microseconds = number(id.get(SECONDS..SECONDS + MICROSECONDS)).with_context(|| id.to_owned())?;
    Ok(seconds * 1000 + microseconds / 1000)
}

pub fn selftest() -> anyhow::Result<()> {
    let encode = |mut number: usize, length: usize| {
        let mut digits = vec![b'0'; length];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[number % DIGITS.len()];
            number /= DIGITS.len();
        }
        String::from_utf8_lossy(&digits).into_owned()
    };
    let id = format!("{}{}z1Fq", encode(1_796_000_000, SECONDS), encode(123_456, MICROSECONDS));
    ensure!(time(&id)? == 1_796_000_000_123, "{id} is {}", time(&id)?);
    Ok(())
}
