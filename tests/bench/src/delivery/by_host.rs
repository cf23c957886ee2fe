//! A delivery as `host` tells about it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;

/// A delivery by `host`, which is a part of a deploy.
pub struct Delivery {
    /// From the start of the program to the line that says that the image is delivered.
    pub until_delivered: Duration,
    /// `registry.resolve`, which makes the connection.
    pub resolve: Duration,
    /// `image.deliver`.
    pub deliver: Duration,
}

impl Delivery {
    /// Runs a deploy whose answer is JSON, and watches what it tells meanwhile.
    pub fn seen(deploy: &mut Command) -> Result<Self> {
        let begun = Instant::now();
        let mut child = deploy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut told = BufReader::new(child.stderr.take().ok_or("standard error is not there")?);
        let (mut said, mut line, mut delivered) = (String::new(), String::new(), None);
        while told.read_line(&mut line)? > 0 {
            if line.contains(" image.deliver ") && line.contains(" ok ") {
                delivered.get_or_insert_with(|| begun.elapsed());
            }
            said.push_str(&line);
            line.clear();
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(said.into());
        }
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let steps = report["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let took = |name: &str| -> Result<Duration> {
            let step = steps.iter().find(|step| step["operation"] == name);
            let milliseconds = step.and_then(|step| step["durationMs"].as_u64());
            Ok(Duration::from_millis(milliseconds.ok_or_else(|| format!("the report has no {name}"))?))
        };
        Ok(Self {
            until_delivered: delivered.ok_or_else(|| format!("nothing was delivered: {said}"))?,
            resolve: took("registry.resolve")?,
            deliver: took("image.deliver")?,
        })
    }
}
