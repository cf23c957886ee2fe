//! `health`: what a service says of itself.

use super::bindings::deploy::consumer::health::{Check, Expectation as WitExpectation, Host, Target};
use super::bindings::deploy::consumer::types::Literal as WitLiteral;
use super::{Guest, Refusal, few};
use crate::answer::{CallError, Expectation, Literal};
use crate::names::{ConfigName, ContainerName, KubernetesName, Pointer, RuntimeName, UrlPath};
use crate::operation::{ExpectHealth, HealthTarget, Operation};

/// Longest text that is expected at a pointer, in bytes.
const LONGEST: usize = 4096;

impl Host for Guest {
    fn expect(
        &mut self,
        target: Target,
        expectations: Vec<WitExpectation>,
        within_seconds: u32,
    ) -> Result<Option<Vec<Check>>, Refusal> {
        few(&expectations)?;
        let expectations = expectations.into_iter().map(expectation).collect::<Result<Vec<_>, _>>()?;
        if expectations.is_empty() {
            let why = "a health verification needs at least one expectation".to_owned();
            return Err(Refusal::Told(CallError::Invalid(why)));
        }
        let call = ExpectHealth {
            service: self.asked()?.service,
            target: health_target(target)?,
            expectations,
            within_seconds,
        };
        self.verify(Operation::ExpectHealth(call))
    }
}

fn expectation(text: WitExpectation) -> Result<Expectation, Refusal> {
    let equals = match text.equals {
        WitLiteral::Absent => Literal::Absent,
        WitLiteral::Flag(flag) => Literal::Flag(flag),
        WitLiteral::Number(number) => Literal::Number(number),
        WitLiteral::Text(text) if text.len() > LONGEST => {
            let why = format!("an expected text has more than {LONGEST} bytes");
            return Err(Refusal::Told(CallError::Invalid(why)));
        }
        WitLiteral::Text(text) => Literal::Text(text),
    };
    Ok(Expectation { pointer: Pointer::parse(&text.pointer)?, equals })
}

fn health_target(target: Target) -> Result<HealthTarget, Refusal> {
    Ok(match target {
        Target::Endpoint(name) => HealthTarget::Endpoint { name: ConfigName::parse(&name)? },
        Target::Service(through) => HealthTarget::Service {
            runtime: RuntimeName::parse(&through.on)?,
            namespace: KubernetesName::parse(&through.namespace)?,
            service: KubernetesName::parse(&through.service)?,
            port: KubernetesName::parse(&through.port)?,
            path: UrlPath::parse(&through.path)?,
        },
        Target::Container(inside) => HealthTarget::Container {
            runtime: RuntimeName::parse(&inside.on)?,
            container: ContainerName::parse(&inside.container)?,
            port: inside.port,
            path: UrlPath::parse(&inside.path)?,
            with_stamp: inside.with_stamp,
        },
    })
}
