package import KubeMachinery
package import Primitives

/// The content `{"Object":…,"Err":…}` of answers to creations, patches and lease requests (`spec/01 §5.3`).
package struct ObjectResponse: Sendable, Hashable {
    /// null beside an error, or an object.
    package var object: JSONValue
    /// null where all went well; anything else is a failure (`spec/01` D-06).
    package var error: JSONValue
    package var rest: JSONObject = [:]

    /// The success of a verb: the object as it is now.
    package init(_ object: KubeObject) {
        self.object = object.json
        error = .null
    }

    /// The failure of a verb, with the empty object that a Go client gives beside it.
    package init(_ failure: KubeStatus, object: JSONValue = ["metadata": ["creationTimestamp": nil], "spec": [:], "status": [:]]) {
        self.object = object
        error = failure.errorContent
    }

    /// Reads a content; nil where it has not both members.
    package init?(json: JSONValue) {
        guard case .object(var members) = json, let object = members.removeValue(forKey: "Object"),
            let error = members.removeValue(forKey: "Err")
        else { return nil }
        self.object = object
        self.error = error
        rest = members
    }

    package var json: JSONValue {
        var members: JSONObject = ["Object": object, "Err": error]
        members.merge(rest) { known, _ in known }
        return .object(members)
    }

    /// The object, or why there is none.
    package var result: Result<KubeObject, KubeStatus> {
        guard error.isNull else { return .failure(KubeStatus(errorContent: error)) }
        guard case .object = object else { return .failure(.internalError("the answer holds neither an object nor an error")) }
        return .success(KubeObject(object))
    }
}

extension KubeStatus {
    /// The failure as it travels in answers: `{"ErrStatus":{…}}` (`spec/01 §4.5`).
    package var errorContent: JSONValue {
        var status = json
        status.removeMember("kind")
        status.removeMember("apiVersion")
        return ["ErrStatus": status]
    }

    /// Reads an error of any shape that Go peers send; without `ErrStatus` it becomes an internal error that quotes the shape.
    package init(errorContent: JSONValue) {
        if let status = KubeStatus(json: errorContent["ErrStatus"]) {
            self = status
        } else {
            self = .internalError("the cloud reports \(String(errorContent.text().prefix(512))) without a status")
        }
    }
}

/// What an answer of the cloud says.
package enum EdgeAnswer: Sendable, Hashable {
    /// `OK`: done, with nothing to show.
    case done
    case object(KubeObject)
    case failure(KubeStatus)
}

extension EdgeMessage {
    /// Reads the content of an answer, whichever of its shapes it has (`spec/01 §4.5, §5.3, §5.5`).
    ///
    /// An object is one that has `metadata`; `{}`, `{"Op":…}`, null and text other than `OK` are failures.
    package var answer: EdgeAnswer {
        if route.operation == EdgeOperation.error {
            return .failure(.internalError(content.string ?? content.text()))
        }
        if content == "OK" { return .done }
        var content = content
        if case .string(let text) = content, let parsed = try? JSONValue(parsing: text) { content = parsed }
        if let response = ObjectResponse(json: content) {
            switch response.result {
            case .success(let object): return .object(object)
            case .failure(let status): return .failure(status)
            }
        }
        guard content.member("ErrStatus") == nil, content["metadata"].object != nil else {
            return .failure(KubeStatus(errorContent: content))
        }
        return .object(KubeObject(content))
    }
}
